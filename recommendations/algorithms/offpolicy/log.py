"""A log of pages as arrays: what was shown and clicked, and how likely another law would have shown it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.offpolicy.law import PagePropensities

Grid = NDArray[np.float64]
# Where an item stood in the list before anything was drawn, in stretches within which clicks are alike.
_STRETCHES = np.array([1, 3, 6, 11, 21, 41])
UNLISTED = len(_STRETCHES) + 1


@dataclass(frozen=True, slots=True)
class LoggedPage:
    """One page of one user. `shown`, `clicked`, `weights` and `unsupported` go by place.

    `base` are the items that the page was drawn from, best first: where an item stands in it says how well it fits.
    `stands_for` is more than 1 where the page stands for others as well, whose users were drawn into another arm.
    """

    person: int
    shown: tuple[str, ...]
    clicked: NDArray[np.bool_]
    weights: Grid
    unsupported: Grid
    base: tuple[str, ...]
    target: PagePropensities
    stands_for: float = 1.0


@dataclass(frozen=True, eq=False)
class Log:
    """Pages (rows) by places (columns), padded; `there` tells places that the page has.

    `items` and `stretches` say what was shown; `targets` holds for each page the other law's items, their stretches and
    its chances.
    """

    people: NDArray[np.int64]
    stands_for: Grid
    there: NDArray[np.bool_]
    clicked: Grid
    weights: Grid
    unsupported: Grid
    items: NDArray[np.int64]
    stretches: NDArray[np.int64]
    targets: tuple[tuple[NDArray[np.int64], NDArray[np.int64], Grid], ...]
    item_count: int

    def __len__(self) -> int:
        return len(self.people)


def build_log(pages: Sequence[LoggedPage]) -> Log:
    """The pages as arrays. Memory: some kilobytes a page."""
    codes: dict[str, int] = {}
    depth = max((len(page.shown) for page in pages), default=0)
    shape = (len(pages), depth)
    grids = {name: np.zeros(shape) for name in ("clicked", "weights", "unsupported")}
    there, items = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=np.int64)
    stretches = np.full(shape, UNLISTED, dtype=np.int64)
    targets = []
    for row, page in enumerate(pages):
        count, listed = len(page.shown), {item: place for place, item in enumerate(page.base)}
        there[row, :count] = True
        for name, grid in grids.items():
            grid[row, :count] = getattr(page, name)
        items[row, :count] = _codes(page.shown, codes)
        stretches[row, :count] = _stretches(page.shown, listed)
        chances = page.target.chances[:, :count]
        targets.append((_codes(page.target.items, codes), _stretches(page.target.items, listed), chances))
    users = np.unique([page.person for page in pages], return_inverse=True)[1].astype(np.int64)
    return Log(
        people=users,
        stands_for=np.array([page.stands_for for page in pages]),
        there=there,
        **grids,
        items=items,
        stretches=stretches,
        targets=tuple(targets),
        item_count=len(codes),
    )


def _codes(items: Sequence[str], codes: dict[str, int]) -> NDArray[np.int64]:
    return np.array([codes.setdefault(item, len(codes)) for item in items], dtype=np.int64)


def _stretches(items: Sequence[str], listed: dict[str, int]) -> NDArray[np.int64]:
    places = np.array([listed.get(item, -1) for item in items], dtype=np.int64)
    return np.where(places < 0, UNLISTED, np.searchsorted(_STRETCHES, places, side="right"))
