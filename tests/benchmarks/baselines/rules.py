"""Sequential rules (Ludewig and Jannach 2018): what came within some steps of an item, nearer ones more."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from tests.benchmarks.baselines.families import Family, Grid, Parameters
from tests.benchmarks.baselines.neighbours import product
from tests.benchmarks.baselines.table import Matrix, Model, Table


def _rules(table: Table, grid: Grid) -> Iterator[tuple[Parameters, Model]]:
    counts = np.maximum(1.0, np.bincount(table.items, minlength=table.item_count))
    for steps in grid["steps"]:
        matrix = _followers(table, steps)
        for power in grid["power"]:
            scaled = sparse.csr_array(sparse.diags_array(counts**-power) @ matrix).astype(np.float32)
            for half_life in grid["half_life"]:
                history = table.history(half_life)
                yield {"steps": steps, "power": power, "half_life": half_life}, product(history, scaled)


def _followers(table: Table, steps: int) -> Matrix:
    """Return items x items: for each later row within `steps` of the same person, 1 / distance."""
    shape = (table.item_count, table.item_count)
    total = sparse.csr_array(shape, dtype=np.float32)
    for distance in range(1, min(steps, len(table.users) - 1) + 1):
        same = table.users[distance:] == table.users[:-distance]
        earlier, later = table.items[:-distance][same], table.items[distance:][same]
        said = np.full(len(earlier), 1.0 / distance, dtype=np.float32)
        total = total + sparse.csr_array((said, (earlier, later)), shape=shape)
    return total


RULES = Family(
    "next-item rules",
    _rules,
    (
        {"steps": (1, 3, 10, 20), "power": (0.5,), "half_life": (0.3, 1.0, 3.0, 10.0)},
        {"power": (0.0, 0.25, 0.75, 1.0)},
    ),
    needs_times=True,
)
