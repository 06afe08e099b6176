"""The validation fold: rows cut out of the training data that stand for what will be asked of the lists.

A training sees everything up to now and serves what users do next, so where enough users come back the fold is cut
at moments that hold for all users. Several cuts, each with a past of its own, judge together until there are enough
users; a user's own last rows, or random ones, stand in where time cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.training_options import TrainingOptions, Validation
from recommendations.algorithms.validation.quality_gate import digest
from recommendations.algorithms.validation.splitting import Protocol, Rows, split

# The shares of the rows, by time, after which a cut may be made; the first alone where it has judges enough.
CUTS = (0.8, 0.7, 0.6, 0.5)
# Rows after a cut that judge, as a share of those before it.
AHEAD = 0.25
# With so many judges one more cut, which costs as much as the first, adds little.
SUFFICIENT_USERS = 300
# Fewer over all cuts, or fewer different users, cannot tell good weights from lucky ones.
MIN_JUDGEMENTS = 40
MIN_USERS = 20


@dataclass(frozen=True, eq=False)
class FoldPart:
    """One division of interactions: `past` trains, `future` judges. Ids and codes are those of the whole."""

    past: Interactions
    future: Interactions


@dataclass(frozen=True, eq=False)
class Fold:
    """The divisions that judge together.

    Attributes:
        protocol: time, last or random.
        parts: the latest moment first where it is time; one otherwise.
        why: a sentence for staff about what decided for it.
    """

    protocol: Validation
    parts: tuple[FoldPart, ...]
    why: str

    @property
    def cuts(self) -> int:
        return len(self.parts)


def make_fold(interactions: Interactions, options: TrainingOptions) -> Fold:
    """Cut the fold in canonical order with a fixed seed, so the same data always gives the same fold."""
    if interactions.times is None:
        why = "The interactions have no times."
        if options.validation not in ("auto", "random"):
            why += f" So {options.validation} is not possible."
        return _one("random", "rand10", interactions, options, why)
    asked = "It was asked for."
    if options.validation == "random":
        return _one("random", "rand10", interactions, options, asked)
    if options.validation == "last":
        return _one("last", "last10", interactions, options, asked)
    parts, validation_users, users = _in_time(interactions, options)
    if validation_users < MIN_JUDGEMENTS or users < MIN_USERS:
        why = (
            f"{users} people have a history before and rows after a cut in time, "
            f"{validation_users} times over all cuts; it takes {MIN_USERS}, {MIN_JUDGEMENTS} times."
        )
        return _one("last", "last10", interactions, options, why)
    found = f"{users} people have a history before and rows after {len(parts)} cut{'s' * (len(parts) > 1)} in time."
    return Fold("time", parts, found if options.validation == "auto" else asked)


def select_validation_users(part: FoldPart, options: TrainingOptions) -> NDArray[np.int64]:
    """Return the users with something to predict and something to predict it from, at most as many as allowed.

    Of more, those with the smallest digests are taken: the same ones in the next training, which the gate compares.
    """
    predictable = np.intersect1d(np.unique(part.future.users), np.unique(part.past.users))
    if len(predictable) > options.validation_people:
        digests = np.array([digest(part.past.user_ids[user]) for user in predictable], dtype=np.uint64)
        predictable = np.sort(predictable[np.argsort(digests)[: options.validation_people]])
    return predictable.astype(np.int64)


def _one(kind: Validation, protocol: Protocol, interactions: Interactions, options: TrainingOptions, why: str) -> Fold:
    times = None if kind == "random" else interactions.times
    rows = Rows(users=interactions.users, items=interactions.items, times=times)
    parts = split(rows, protocol=protocol, seed=options.seed)
    return Fold(kind, (FoldPart(interactions.select(parts.train), interactions.select(parts.test)),), why)


def _in_time(interactions: Interactions, options: TrainingOptions) -> tuple[tuple[FoldPart, ...], int, int]:
    """Return as many cuts as it takes for enough judges, how many judges they have, and how many users these are."""
    assert interactions.times is not None
    moments = np.sort(interactions.times)
    parts: list[FoldPart] = []
    validation_users, users = 0, set[int]()
    for share in CUTS:
        moment = moments[min(len(moments) - 1, int(share * len(moments)))]
        before = interactions.times < moment
        until = moments[min(len(moments) - 1, int((1.0 + AHEAD) * share * len(moments)))]
        part = FoldPart(interactions.select(before), interactions.select(~before & (interactions.times <= until)))
        own = select_validation_users(part, options)
        if len(own):
            parts.append(part)
            validation_users += len(own)
            users.update(own.tolist())
        if validation_users >= min(SUFFICIENT_USERS, options.validation_people):
            break
    return tuple(parts), validation_users, len(users)
