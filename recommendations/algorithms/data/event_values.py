"""The weight of events' values: an amount of each pair of user and item becomes a factor of its strength.

The amount of a pair is what its events of one type add up to (plays, seconds, pieces; an event without a value counts
as a usual one), or the mean of its ratings. A way turns amounts into factors, around 1 for a usual amount:

    none        1
    log         log2(1 + amount / median), from LEAST to MOST
    threshold   HALF below the median of the user's own amounts (of fewer than OWN: the type's), 1 from there on
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import FloatArray

NONE, LOG, THRESHOLD = "none", "log", "threshold"
METHODS = (NONE, LOG, THRESHOLD)
# A setting beside the ways: the training decides on its fold.
AUTO = "auto"
# The type whose values do not add up.
RATING = "rating"
MIN_FACTOR, MAX_FACTOR = 0.5, 2.0
HALF = 0.5
MIN_USER_PAIRS = 5


@dataclass(frozen=True)
class ValueWeighting:
    """A way for one type, with the median of its pairs' amounts, and what an event without a value counts."""

    way: str = NONE
    median: float = 1.0
    missing: float = 1.0

    def as_json(self) -> dict[str, Any]:
        """Return what an artefact keeps."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class EventValues:
    """Values of rows beside what `dataset.Interactions` holds.

    Attributes:
        kinds: (rows,) places into `names`.
        values: (rows,) nan where an event has none.
        names: the types.
        settings: by name, one of WAYS or AUTO; AUTO for names that are not in it.
    """

    kinds: NDArray[np.integer[Any]]
    values: FloatArray
    names: tuple[str, ...]
    settings: Mapping[str, str]

    def select(self, rows: NDArray[Any]) -> EventValues:
        """Return those of the rows that a mask or places pick."""
        return EventValues(self.kinds[rows], self.values[rows], self.names, self.settings)


def weightings_from_json(kept: Any) -> dict[str, ValueWeighting]:
    """Return the rules of what an artefact kept (`Rule.as_json` by type); none for anything else."""
    if not isinstance(kept, dict):
        return {}
    return {name: ValueWeighting(each["way"], each["median"], each["missing"]) for name, each in kept.items()}


def fit_weighting(values: EventValues, users: NDArray[Any], items: NDArray[Any], kind: int, way: str) -> ValueWeighting:
    """Return the rule of this way for the rows of one type, as their amounts are."""
    rows = np.flatnonzero(values.kinds == kind)
    given = values.values[rows][np.isfinite(values.values[rows])]
    missing = float(np.median(given)) if len(given) else 1.0
    name = values.names[kind]
    _, _, amounts = _amounts(users[rows], items[rows], values.values[rows], missing, adds_up=name != RATING)
    positive = amounts[amounts > 0]
    return ValueWeighting(way, float(np.median(positive)) if len(positive) else 1.0, missing)


def strength_factors(
    rules: Mapping[str, ValueWeighting], values: EventValues, users: NDArray[Any], items: NDArray[Any]
) -> FloatArray:
    """Return (rows,) by what each row's strength is multiplied; `users` and `items` are whole numbers."""
    found = np.ones(len(values.kinds), dtype=np.float32)
    for kind, name in enumerate(values.names):
        how = rules.get(name, ValueWeighting())
        rows = np.flatnonzero(values.kinds == kind) if how.way != NONE else ()
        if len(rows):
            columns = (users[rows], items[rows], values.values[rows])
            owners, pair_of, amounts = _amounts(*columns, how.missing, adds_up=name != RATING)
            found[rows] = _of_pairs(how, owners, amounts)[pair_of]
    return found


def _amounts(
    users: NDArray[Any], items: NDArray[Any], values: FloatArray, missing: float, *, adds_up: bool
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.float64]]:
    """Return whose each pair is, the pair of each row, and the amount of each pair."""
    order = np.lexsort((items, users))
    first = np.ones(len(order), dtype=bool)
    first[1:] = (users[order][1:] != users[order][:-1]) | (items[order][1:] != items[order][:-1])
    pair_of = np.empty(len(order), dtype=np.int64)
    pair_of[order] = np.cumsum(first) - 1
    each = np.where(np.isfinite(values), values, missing).astype(np.float64)
    amounts: NDArray[np.float64] = np.bincount(pair_of, weights=np.maximum(each, 0.0)).astype(np.float64)
    if not adds_up:
        amounts = amounts / np.bincount(pair_of)
    return users[order][first], pair_of, amounts


def _of_pairs(how: ValueWeighting, owners: NDArray[Any], amounts: NDArray[np.float64]) -> FloatArray:
    if how.way == LOG:
        return np.clip(np.log2(1.0 + amounts / how.median), MIN_FACTOR, MAX_FACTOR).astype(np.float32)
    return np.where(amounts < _cuts(how, owners, amounts), HALF, 1.0).astype(np.float32)


def _cuts(how: ValueWeighting, owners: NDArray[Any], amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (pairs,) the median of the owner's amounts; `owners` ascend."""
    starts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1]))
    sizes = np.diff(np.append(starts, len(owners)))
    ordered = amounts[np.lexsort((amounts, owners))]
    lower, upper = ordered[starts + (sizes - 1) // 2], ordered[starts + sizes // 2]
    return np.repeat(np.where(sizes >= MIN_USER_PAIRS, (lower + upper) / 2, how.median), sizes)
