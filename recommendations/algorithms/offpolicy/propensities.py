"""Propensities of a page: the probability of each item at each of its positions under a policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.offpolicy import plackett_luce

Chances = NDArray[np.float64]
# A probability below this is a numerical error of the integral.
_NOTHING = 1e-12


@dataclass(frozen=True, eq=False)
class PagePropensities:
    """`chances[i, k]` is the probability of item i at position k. Columns sum to 1, or less where a list ends early."""

    items: tuple[str, ...]
    chances: Chances

    def rows(self) -> Mapping[str, int]:
        """Return the row of each item."""
        return {item: row for row, item in enumerate(self.items)}


@dataclass(frozen=True, eq=False)
class ImportanceWeights:
    """One page under another policy.

    Attributes:
        weights: for each position the ratio of the target to the logged propensity of the shown item.
        unsupported: for each position the target probability of items with a logged propensity of 0.
    """

    weights: Chances
    unsupported: Chances


def deterministic(items: Sequence[str], places: int) -> PagePropensities:
    """Return the propensities of a list without randomness."""
    listed = tuple(items[:places])
    return PagePropensities(listed, _identity(len(listed), places))


def sampled(
    items: Sequence[str],
    weights: Sequence[float],
    places: int,
    *,
    behind: Sequence[str] = (),
    pinned: Mapping[int, str] | None = None,
) -> PagePropensities:
    """Return the propensities of items in a Plackett-Luce order with these weights, followed by those `behind`.

    `pinned` items (by position) are fixed; the others take the remaining positions in order.
    """
    fixed = {place: item for place, item in (pinned or {}).items() if place < places}
    free = [place for place in range(places) if place not in fixed]
    tail = list(behind[: max(0, len(free) - len(items))])
    found = np.zeros((len(items) + len(tail) + len(fixed), places))
    if items and free:
        found[: len(items), free] = plackett_luce.chances(tuple(weights), len(free))
    for row, place in enumerate(free[len(items) : len(items) + len(tail)], start=len(items)):
        found[row, place] = 1.0
    for row, place in enumerate(fixed, start=len(items) + len(tail)):
        found[row, place] = 1.0
    found.flags.writeable = False
    return PagePropensities((*items, *tail, *fixed.values()), found)


def importance_weights(
    *, logged: PagePropensities, target: PagePropensities, shown: Sequence[str]
) -> ImportanceWeights:
    """Return the importance weights of a page. Shown items have a logged propensity above 0."""
    places = len(shown)
    weights = np.zeros(places)
    of_logged, of_target = logged.rows(), target.rows()
    for place, item in enumerate(shown):
        row = of_target.get(item)
        if row is not None and target.chances[row, place] > _NOTHING:
            weights[place] = target.chances[row, place] / logged.chances[of_logged[item], place]
    wanted = target.chances[:, :places]
    there = [of_logged.get(item, -1) for item in target.items]
    possible = np.zeros(wanted.shape, dtype=bool)
    known = [row for row, other in enumerate(there) if other >= 0]
    possible[known] = logged.chances[[there[row] for row in known], :places] > _NOTHING
    return ImportanceWeights(weights, np.where(possible, 0.0, wanted).sum(axis=0))


@lru_cache(maxsize=512)
def _identity(count: int, places: int) -> Chances:
    found = np.eye(count, places)
    found.flags.writeable = False
    return found
