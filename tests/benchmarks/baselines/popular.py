"""The same list for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.baselines.families import Family, Grid, Parameters
from tests.benchmarks.baselines.table import Model, Table

DAY = 86_400.0


def _of_all_time(table: Table, _grid: Grid) -> Iterator[tuple[Parameters, Model]]:
    counts = np.bincount(table.items, minlength=table.item_count)
    yield {}, _same(counts)


def _recent(table: Table, grid: Grid) -> Iterator[tuple[Parameters, Model]]:
    assert table.times is not None
    age = (table.times.max(initial=0.0) - table.times) / DAY
    for days in grid["half_life_days"]:
        counts = np.bincount(table.items, weights=np.exp2(-age / days), minlength=table.item_count)
        yield {"half_life_days": days}, _same(counts)


def _same(scores: NDArray[Any]) -> Model:
    return lambda people: np.tile(scores, (len(people), 1))


POPULARITY = Family("popularity", _of_all_time)
RECENT_POPULARITY = Family(
    "recent popularity", _recent, ({"half_life_days": (0.25, 1, 2, 4, 7, 14, 30, 60, 120, 365)},), needs_times=True
)
