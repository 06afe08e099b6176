"""A log of pages as arrays: shown items, clicks, and importance weights under a target policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.offpolicy.propensities import PagePropensities

Grid = NDArray[np.float64]
# Stretches of the list before randomisation, within which click rates are similar.
_STRETCHES = np.array([1, 3, 6, 11, 21, 41])
UNLISTED = len(_STRETCHES) + 1


@dataclass(frozen=True, slots=True)
class LoggedPage:
    """One page of one user.

    Attributes:
        shown, clicked, weights, unsupported: by position.
        base: the items that the page was drawn from, best first.
        target: the propensities of the target policy.
        page_weight: above 1 where the page represents others as well, whose users are in another arm.
    """

    user: int
    shown: tuple[str, ...]
    clicked: NDArray[np.bool_]
    weights: Grid
    unsupported: Grid
    base: tuple[str, ...]
    target: PagePropensities
    page_weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Log:
    """Pages (rows) by positions (columns), padded.

    Attributes:
        present: marks at positions that the page has.
        items, stretches: codes of the shown items, and their stretches of the base list.
        targets: for each page the target policy's items, their stretches and propensities.
    """

    users: NDArray[np.int64]
    page_weights: Grid
    present: NDArray[np.bool_]
    clicked: Grid
    weights: Grid
    unsupported: Grid
    items: NDArray[np.int64]
    stretches: NDArray[np.int64]
    targets: tuple[tuple[NDArray[np.int64], NDArray[np.int64], Grid], ...]
    item_count: int

    def __len__(self) -> int:
        return len(self.users)


def build_log(pages: Sequence[LoggedPage]) -> Log:
    """Return the pages as arrays, some kilobytes a page."""
    codes: dict[str, int] = {}
    depth = max((len(page.shown) for page in pages), default=0)
    shape = (len(pages), depth)
    grids = {name: np.zeros(shape) for name in ("clicked", "weights", "unsupported")}
    present, items = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=np.int64)
    stretches = np.full(shape, UNLISTED, dtype=np.int64)
    targets = []
    for row, page in enumerate(pages):
        count, listed = len(page.shown), {item: place for place, item in enumerate(page.base)}
        present[row, :count] = True
        for name, grid in grids.items():
            grid[row, :count] = getattr(page, name)
        items[row, :count] = _codes(page.shown, codes)
        stretches[row, :count] = _stretches(page.shown, listed)
        chances = page.target.chances[:, :count]
        targets.append((_codes(page.target.items, codes), _stretches(page.target.items, listed), chances))
    users = np.unique([page.user for page in pages], return_inverse=True)[1].astype(np.int64)
    return Log(
        users=users,
        page_weights=np.array([page.page_weight for page in pages]),
        present=present,
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
