"""iALS (Hu et al. 2008) with tuned factors, regularisation and confidence, by the package `implicit`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tests.benchmarks.baselines.families import Family, Grid, Parameters, points
from tests.benchmarks.baselines.table import Model, Table


def _als(table: Table, grid: Grid) -> Iterator[tuple[Parameters, Model]]:
    for point in points(grid, "values", "factors", "l2", "alpha"):
        if point["values"] != "none" and table.values is None:
            continue
        matrix = sparse.csr_matrix(table.csr(table.strengths(point["values"])))
        with threadpool_limits(limits=1, user_api="blas"):
            model = AlternatingLeastSquares(
                factors=point["factors"],
                regularization=point["l2"],
                alpha=point["alpha"],
                iterations=15,
                random_state=0,
                num_threads=1,
            )
            model.fit(matrix, show_progress=False)
        people, items = np.array(model.user_factors), np.array(model.item_factors)
        yield point, _model(people, items)


def _model(people: NDArray[Any], items: NDArray[Any]) -> Model:
    return lambda chosen: np.asarray(people[chosen] @ items.T)


IALS = Family(
    "iALS",
    _als,
    (
        {"values": ("none",), "factors": (32,), "l2": (1.0, 10.0, 40.0), "alpha": (1.0, 6.0, 40.0)},
        {"values": ("none", "log"), "factors": (16, 64, 128)},
    ),
)
