"""The quality gate: decides whether a new artefact may replace the active one.

Each training scores its blend on a validation fold. The gate compares these scores within users: the new artefact's
against those of the active one from its own training. So an artefact of corrupt data is refused although its own fold
is corrupt as well, and the active artefact gains nothing from rows that it has learnt and that are now to be predicted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.metrics.bootstrap import Interval, paired_interval

# Fewer users with both scores cannot tell worse from unlucky.
MIN_USERS = 20


@dataclass(frozen=True, eq=False)
class ValidationScores:
    """NDCG@10 for each user of the validation fold, by ascending digests of the users' ids."""

    user_digests: NDArray[np.uint64]
    ndcg: NDArray[np.float32]
    protocol: str = ""

    @classmethod
    def from_users(cls, user_ids: Iterable[str], ndcg: NDArray[np.float64], protocol: str) -> ValidationScores:
        """Return these values in the order of the users' digests."""
        digests = np.array([digest(user_id) for user_id in user_ids], dtype=np.uint64)
        order = np.argsort(digests, kind="stable")
        return cls(digests[order], ndcg[order].astype(np.float32), protocol)

    @classmethod
    def none(cls) -> ValidationScores:
        """Return the scores of a training without validation users."""
        return cls(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.float32))


@dataclass(frozen=True)
class GateDecision:
    """The decision whether the new artefact may serve, with the reason as a sentence for staff.

    `other_fold`: the two have folds of different kinds, whose scores cannot be compared.
    """

    publish: bool
    reason: str
    people: int = 0
    difference: Interval | None = None
    other_fold: bool = False


def digest(user_id: str) -> int:
    """Return 64 bits of BLAKE2b: an artefact holds no user ids."""
    return int.from_bytes(hashlib.blake2b(user_id.encode(), digest_size=8).digest(), "big")


def compare(new: ValidationScores, active: ValidationScores) -> GateDecision:
    """Refuse the new artefact if its mean within users is lower beyond noise (paired bootstrap, 95 %)."""
    if new.protocol != active.protocol:
        reason = f"Not compared: validated on {new.protocol or 'none'}, the active one on {active.protocol or 'none'}."
        return GateDecision(publish=True, reason=reason, other_fold=bool(new.protocol and active.protocol))
    _, ours, theirs = np.intersect1d(new.user_digests, active.user_digests, return_indices=True)
    users = len(ours)
    if users < MIN_USERS:
        return GateDecision(
            publish=True, reason=f"Not compared: only {users} users were validated both times.", people=users
        )
    before, now = active.ndcg[theirs].astype(np.float64), new.ndcg[ours].astype(np.float64)
    difference = paired_interval(now, before)
    worse = difference.high < 0
    reason = (
        f"{'Worse' if worse else 'Not worse'} than the active artefact beyond noise: ndcg@10 {now.mean():.4f} against "
        f"{before.mean():.4f} for the same {users} users, {difference.mean:+.4f} with a 95 % interval of "
        f"{difference.low:+.4f} to {difference.high:+.4f}."
    )
    return GateDecision(publish=not worse, reason=reason, people=users, difference=difference)
