"""The law of a page: with which probability each item stands at each of its places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.offpolicy import plackett_luce

Chances = NDArray[np.float64]
# Below this a probability is one of an integral's errors.
_NOTHING = 1e-12


@dataclass(frozen=True, eq=False)
class PagePropensities:
    """`chances[i, k]` is the probability of item i at place k. Columns add up to 1, to less where a list ends early."""

    items: tuple[str, ...]
    chances: Chances

    def rows(self) -> Mapping[str, int]:
        """The row of each item."""
        return {item: row for row, item in enumerate(self.items)}


@dataclass(frozen=True, eq=False)
class ImportanceWeights:
    """One page against another law. `weights[k]` is how much more likely that law shows at place k what was shown;
    `unsupported[k]` the probability with which it shows there what could not have been shown.
    """

    weights: Chances
    unsupported: Chances


def deterministic(items: Sequence[str], places: int) -> PagePropensities:
    """Each item at its place."""
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
    """Items in an order of Plackett and Luce with these weights, then those `behind` in theirs.

    `pinned` (place to item) stand where they stand; the others take the places that are left, in order.
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
    """The page's places against another law. What was shown has a probability above 0 in the logged one."""
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
