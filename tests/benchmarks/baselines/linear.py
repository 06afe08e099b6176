"""EASE (Steck 2019) in closed form and never pruned, solved on the smaller side of people and items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from tests.benchmarks.baselines.families import Family, Grid, Parameters
from tests.benchmarks.baselines.table import Matrix, Model, Table

# Above this many on the smaller side there is no EASE.
LARGEST = 9_000


def _ease(table: Table, grid: Grid) -> Iterator[tuple[Parameters, Model]]:
    if min(table.user_count, table.item_count) > LARGEST:
        return
    for kind in grid["values"]:
        if kind != "none" and table.values is None:
            continue
        matrix = table.csr(table.strengths(kind))
        by_items = table.item_count <= table.user_count
        read = _by_items(matrix) if by_items else _by_people(matrix)
        for l2 in grid["l2"]:
            score = read(l2)
            for half_life in grid["half_life"]:
                history = matrix if np.isinf(half_life) else table.history(half_life)
                model = _model(score, history)
                yield {"values": kind, "l2": l2, "half_life": half_life}, model


def _model(score: Any, history: Matrix) -> Model:
    return lambda people: score(history[people])


def _by_items(matrix: Matrix) -> Any:
    """B = I - P / diag(P), with P the inverse of the items x items Gram matrix."""
    gram = (sparse.csr_array(matrix.T) @ matrix).toarray().astype(np.float32)

    def read(l2: float) -> Any:
        factor, _ = lapack.spotrf(gram + l2 * np.eye(len(gram), dtype=np.float32), lower=1)
        lower, _ = lapack.spotri(factor, lower=1)
        inverse = np.tril(lower) + np.tril(lower, -1).T
        weights = -inverse / np.diag(inverse)[None, :]
        np.fill_diagonal(weights, 0.0)
        return lambda history: history @ weights

    return read


def _by_people(matrix: Matrix) -> Any:
    """The same without any items x items matrix: P = (I - X' (X X' + l2)^-1 X) / l2 (Woodbury)."""
    gram = (matrix @ matrix.T).toarray().astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    turned = vectors.T @ matrix.toarray()
    transposed = sparse.csr_array(matrix.T)

    def read(l2: float) -> Any:
        inner = ((vectors / (np.maximum(values, 0.0) + l2)) @ turned).astype(np.float32)
        diagonal = (1.0 - _column_products(matrix, inner)).astype(np.float32)

        def score(history: Matrix) -> NDArray[Any]:
            plain = history.toarray()
            through = plain - (history @ transposed).toarray() @ inner
            return np.asarray(plain - through / diagonal[None, :])

        return score

    return read


def _column_products(matrix: Matrix, dense: NDArray[np.float32]) -> NDArray[np.float64]:
    cells = sparse.coo_array(matrix)
    said = cells.data.astype(np.float64) * dense[cells.row, cells.col]
    return np.asarray(np.bincount(cells.col, weights=said, minlength=matrix.shape[1]), dtype=np.float64)


_L2 = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0, 2_000.0)
EASE = Family("EASE", _ease, ({"values": ("none", "log"), "l2": _L2, "half_life": (np.inf,)},))
RECENT_EASE = Family(
    "EASE, recent history",
    _ease,
    (
        {"values": ("none",), "l2": (200.0,), "half_life": (1.0, 3.0, 5.0, 10.0, 30.0, 100.0)},
        {"l2": (50.0, 100.0, 400.0, 800.0)},
    ),
    needs_times=True,
)
