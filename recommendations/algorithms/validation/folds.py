"""The validation fold: rows held out of the training data that stand for the users' next choices.

A training sees everything up to now and serves the users' next choices, so where enough users return the fold is cut
at moments that are the same for all users. Several cuts, each with its own past, are used together until there are
enough users. Else each user's own last rows, or random ones, are held out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.training_options import TrainingOptions, Validation
from recommendations.algorithms.validation.quality_gate import digest
from recommendations.algorithms.validation.splitting import Protocol, Rows, split

# The shares of the rows, by time, after which a cut may be made; the first alone where it has enough users.
CUTS = (0.8, 0.7, 0.6, 0.5)
# Held-out rows after a cut, as a share of those before it.
AHEAD = 0.25
# With this many users one more cut, which costs as much as the first, adds little.
SUFFICIENT_USERS = 300
# With fewer over all cuts, or fewer different users, good weights cannot be told from lucky ones.
MIN_JUDGEMENTS = 40
MIN_USERS = 20


@dataclass(frozen=True, eq=False)
class FoldPart:
    """One split of interactions: `past` trains, `future` is held out. Ids and codes are those of the whole."""

    past: Interactions
    future: Interactions


@dataclass(frozen=True, eq=False)
class Fold:
    """The splits that are used together.

    Attributes:
        protocol: time, last or random.
        parts: for time the latest moment first; otherwise one.
        why: the reason for the protocol, a sentence for staff.
    """

    protocol: Validation
    parts: tuple[FoldPart, ...]
    why: str

    @property
    def cuts(self) -> int:
        return len(self.parts)


def make_fold(interactions: Interactions, options: TrainingOptions) -> Fold:
    """Return the fold of these interactions: the same data always gives the same one."""
    if interactions.times is None:
        why = "The interactions have no times."
        if options.validation not in ("auto", "random"):
            why += f" So {options.validation} is not possible."
        return _single_split("random", "rand10", interactions, options, why)
    asked = "It was requested."
    if options.validation == "random":
        return _single_split("random", "rand10", interactions, options, asked)
    if options.validation == "last":
        return _single_split("last", "last10", interactions, options, asked)
    parts, judgements, users = _in_time(interactions, options)
    if judgements < MIN_JUDGEMENTS or users < MIN_USERS:
        why = (
            f"{users} users have a history before and events after a cut in time, "
            f"{judgements} times over all cuts; required are {MIN_USERS}, {MIN_JUDGEMENTS} times."
        )
        return _single_split("last", "last10", interactions, options, why)
    why = f"{users} users have a history before and events after {len(parts)} cut{'s' * (len(parts) > 1)} in time."
    return Fold("time", parts, why if options.validation == "auto" else asked)


def select_validation_users(part: FoldPart, options: TrainingOptions) -> NDArray[np.int64]:
    """Return up to `options.validation_people` users with rows in both the past and the future.

    Of more, those with the smallest digests: the next training has the same ones, which the gate needs to compare.
    """
    predictable = np.intersect1d(np.unique(part.future.users), np.unique(part.past.users))
    if len(predictable) > options.validation_people:
        digests = np.array([digest(part.past.user_ids[user]) for user in predictable], dtype=np.uint64)
        predictable = np.sort(predictable[np.argsort(digests)[: options.validation_people]])
    return predictable.astype(np.int64)


def _single_split(
    kind: Validation, protocol: Protocol, interactions: Interactions, options: TrainingOptions, why: str
) -> Fold:
    times = None if kind == "random" else interactions.times
    rows = Rows(users=interactions.users, items=interactions.items, times=times)
    parts = split(rows, protocol=protocol, seed=options.seed)
    return Fold(kind, (FoldPart(interactions.select(parts.train), interactions.select(parts.test)),), why)


def _in_time(interactions: Interactions, options: TrainingOptions) -> tuple[tuple[FoldPart, ...], int, int]:
    """Return as many cuts as it takes for enough users, the sum of their users, and the number of different ones."""
    assert interactions.times is not None
    moments = np.sort(interactions.times)
    parts: list[FoldPart] = []
    judgements, users = 0, set[int]()
    for share in CUTS:
        moment = moments[min(len(moments) - 1, int(share * len(moments)))]
        before = interactions.times < moment
        until = moments[min(len(moments) - 1, int((1.0 + AHEAD) * share * len(moments)))]
        part = FoldPart(interactions.select(before), interactions.select(~before & (interactions.times <= until)))
        own = select_validation_users(part, options)
        if len(own):
            parts.append(part)
            judgements += len(own)
            users.update(own.tolist())
        if judgements >= min(SUFFICIENT_USERS, options.validation_people):
            break
    return tuple(parts), judgements, len(users)
