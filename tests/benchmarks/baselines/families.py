"""A family of models with parameters, and the grid in which they are looked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.baselines.table import Model, Table

Parameters = dict[str, Any]
Grid = Mapping[str, Sequence[Any]]
# Yields a model for each point of the grid; what points share is computed once.
Fit = Callable[[Table, Grid], Iterator[tuple[Parameters, Model]]]


@dataclass(frozen=True)
class Family:
    """Attributes:
    stages: grids, one after the other; what an earlier one chose holds where a later one does not say otherwise.
    """

    name: str
    fit: Fit
    stages: tuple[Grid, ...] = ({},)
    needs_times: bool = False


def points(grid: Grid, *names: str) -> Iterator[Parameters]:
    """Yield every combination of these parameters' values."""
    for values in itertools.product(*(grid[name] for name in names)):
        yield dict(zip(names, values, strict=True))
