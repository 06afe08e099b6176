"""The quality gate: whether a new artefact may take the place of the active one.

Each training judges its blend honestly: on rows that were cut out of the data before anything was learnt from the rest
(validation). What is compared are these judgements, user by user: the new artefact's own against what the active
one reached when it was trained. So an artefact of spoilt data is found out although its own fold is spoilt as well;
and the active artefact gains nothing from having learnt, since, rows that are now to be predicted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.metrics.bootstrap import Interval, paired_interval

# Fewer users in both judgements cannot tell worse from unlucky.
MIN_USERS = 20


@dataclass(frozen=True, eq=False)
class ValidationScores:
    """NDCG@10 of the blend for each user of the validation fold, by a digest of the user's id, ascending."""

    people: NDArray[np.uint64]
    ndcg: NDArray[np.float32]
    protocol: str = ""

    @classmethod
    def from_users(cls, user_ids: Iterable[str], ndcg: NDArray[np.float64], protocol: str) -> ValidationScores:
        """Put users in the order of their digests."""
        users = np.array([digest(user_id) for user_id in user_ids], dtype=np.uint64)
        order = np.argsort(users, kind="stable")
        return cls(users[order], ndcg[order].astype(np.float32), protocol)

    @classmethod
    def none(cls) -> ValidationScores:
        """The judgement of a training that had nobody to judge by."""
        return cls(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.float32))


@dataclass(frozen=True)
class GateDecision:
    """The decision whether the new artefact may serve, with the reason in a sentence for staff.

    `other_fold`: the two were judged by folds of different kinds, whose figures have nothing to do with each other.
    """

    publish: bool
    reason: str
    people: int = 0
    difference: Interval | None = None
    other_fold: bool = False


def digest(user_id: str) -> int:
    """64 bits of BLAKE2b: an artefact names nobody."""
    return int.from_bytes(hashlib.blake2b(user_id.encode(), digest_size=8).digest(), "big")


def compare(new: ValidationScores, active: ValidationScores) -> GateDecision:
    """Refuse the new artefact if its mean is lower within users by more than luck: paired bootstrap, 95 %."""
    if new.protocol != active.protocol:
        reason = f"Not compared: judged by {new.protocol or 'nobody'}, the active one by {active.protocol or 'nobody'}."
        return GateDecision(publish=True, reason=reason, other_fold=bool(new.protocol and active.protocol))
    _, ours, theirs = np.intersect1d(new.people, active.people, return_indices=True)
    users = len(ours)
    if users < MIN_USERS:
        return GateDecision(
            publish=True, reason=f"Not compared: only {users} people were judged both times.", people=users
        )
    before, now = active.ndcg[theirs].astype(np.float64), new.ndcg[ours].astype(np.float64)
    difference = paired_interval(now, before)
    worse = difference.high < 0
    reason = (
        f"{'Worse' if worse else 'Not worse'} than the active artefact beyond noise: ndcg@10 {now.mean():.4f} against "
        f"{before.mean():.4f} for the same {users} people, {difference.mean:+.4f} with a 95 % interval of "
        f"{difference.low:+.4f} to {difference.high:+.4f}."
    )
    return GateDecision(publish=not worse, reason=reason, people=users, difference=difference)
