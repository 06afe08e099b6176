"""Neighbourhood models: item-kNN with cosine and BM25, RP3beta, user-kNN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from implicit.nearest_neighbours import bm25_weight
from numpy.typing import NDArray
from scipy import sparse

from tests.benchmarks.baselines.families import Family, Grid, Parameters, points
from tests.benchmarks.baselines.table import Matrix, Model, Table

_BLOCK = 512


def _strongest(gram: Matrix, most: int, *, row: NDArray[Any], column: NDArray[Any], shrink: float) -> tuple[Any, Any]:
    """Return (items, most) neighbours and their similarities, falling: gram / (row x column + shrink), not oneself."""
    count = gram.shape[0]
    most = min(most, count)
    names = np.empty((count, most), dtype=np.int32)
    values = np.empty((count, most), dtype=np.float32)
    for begin in range(0, count, _BLOCK):
        part = slice(begin, min(begin + _BLOCK, count))
        block = gram[part].toarray()
        block /= row[part, None] * column[None, :] + shrink
        block[np.arange(len(block)), np.arange(part.start, part.stop)] = 0.0
        best = np.argpartition(-block, most - 1, axis=1)[:, :most]
        found = np.take_along_axis(block, best, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        names[part] = np.take_along_axis(best, order, axis=1)
        values[part] = np.take_along_axis(found, order, axis=1)
    return names, values


def _pruned(names: NDArray[Any], values: NDArray[Any], neighbours: int) -> Matrix:
    count, kept = names.shape[0], min(neighbours, names.shape[1])
    starts = np.arange(count + 1) * kept
    shape = (count, count)
    matrix = sparse.csr_array((values[:, :kept].ravel(), names[:, :kept].ravel(), starts), shape=shape)
    matrix.eliminate_zeros()
    return matrix


def _reads(table: Table, matrix: Matrix, grid: Grid) -> Iterator[tuple[Parameters, Model]]:
    """Yield the ways a person's history is multiplied with the matrix."""
    for half_life in grid.get("half_life", (np.inf,)):
        history = table.history(half_life)
        said = {"half_life": half_life} if "half_life" in grid else {}
        yield said, product(history, matrix)


def product(history: Matrix, matrix: Matrix) -> Model:
    """Return the model whose scores are the sum of the matrix's rows of a person's items."""
    return lambda people: np.asarray((history[people] @ matrix).toarray())


def _cosine(table: Table, grid: Grid) -> Iterator[tuple[Parameters, Model]]:
    gram = sparse.csr_array(table.matrix.T) @ table.matrix
    norm = np.sqrt(gram.diagonal())
    for shrink in grid["shrink"]:
        names, values = _strongest(gram, max(grid["neighbours"]), row=norm, column=norm, shrink=shrink)
        for neighbours in grid["neighbours"]:
            for said, model in _reads(table, _pruned(names, values, neighbours), grid):
                yield {"shrink": shrink, "neighbours": neighbours, **said}, model


def _bm25(table: Table, grid: Grid) -> Iterator[tuple[Parameters, Model]]:
    ones = np.ones(table.item_count)
    for point in points(grid, "k1", "b"):
        weighted = sparse.csr_array(bm25_weight(sparse.csr_matrix(table.matrix), K1=point["k1"], B=point["b"]))
        gram = sparse.csr_array(weighted.T) @ weighted
        names, values = _strongest(gram, max(grid["neighbours"]), row=ones, column=ones, shrink=0.0)
        for neighbours in grid["neighbours"]:
            for said, model in _reads(table, _pruned(names, values, neighbours), grid):
                yield {**point, "neighbours": neighbours, **said}, model


def _rp3beta(table: Table, grid: Grid) -> Iterator[tuple[Parameters, Model]]:
    """Random walks of three steps, less so to popular items (Paudel et al. 2017)."""
    degrees = np.maximum(1.0, np.bincount(table.users, minlength=table.user_count))
    counts = np.maximum(1.0, np.bincount(table.items, minlength=table.item_count))
    for alpha in grid["alpha"]:
        scaled = sparse.csr_array(sparse.diags_array(degrees**-alpha) @ table.matrix).astype(np.float32)
        gram = sparse.csr_array(table.matrix.T) @ scaled
        for beta in grid["beta"]:
            names, values = _strongest(
                gram, max(grid["neighbours"]), row=counts**alpha, column=counts**beta, shrink=0.0
            )
            for neighbours in grid["neighbours"]:
                matrix = _pruned(names, values, neighbours)
                yield {"alpha": alpha, "beta": beta, "neighbours": neighbours}, product(table.matrix, matrix)


def _users(table: Table, grid: Grid) -> Iterator[tuple[Parameters, Model]]:
    norm = np.sqrt(np.maximum(1.0, np.bincount(table.users, minlength=table.user_count)))
    unit = sparse.csr_array(sparse.diags_array(1.0 / norm) @ table.matrix).astype(np.float32)

    def of(neighbours: int) -> Model:
        def model(people: NDArray[np.int64]) -> NDArray[Any]:
            alike = (unit[people] @ unit.T).toarray()
            alike[np.arange(len(people)), people] = 0.0
            if neighbours < alike.shape[1]:
                least = np.partition(alike, -neighbours, axis=1)[:, -neighbours]
                alike[alike < least[:, None]] = 0.0
            return np.asarray((sparse.csr_array(alike) @ table.matrix).toarray())

        return model

    for neighbours in grid["neighbours"]:
        yield {"neighbours": neighbours}, of(neighbours)


COSINE = Family("item-kNN cosine", _cosine, ({"shrink": (0.0, 10.0, 50.0), "neighbours": (20, 50, 100, 200, 500)},))
RECENT_COSINE = Family(
    "item-kNN, recent history",
    _cosine,
    (
        {"shrink": (10.0,), "neighbours": (200,), "half_life": (1.0, 3.0, 5.0, 10.0, 30.0)},
        {"shrink": (0.0, 10.0), "neighbours": (50, 100, 500)},
    ),
    needs_times=True,
)
BM25 = Family(
    "item-kNN BM25",
    _bm25,
    ({"k1": (0.5, 1.2, 100.0), "b": (0.75,), "neighbours": (50, 200, 500)}, {"b": (0.0, 0.3)}),
)
RP3BETA = Family(
    "RP3beta",
    _rp3beta,
    ({"alpha": (0.5, 1.0), "beta": (0.3,), "neighbours": (100, 500)}, {"beta": (0.0, 0.15, 0.45, 0.6, 0.8)}),
)
USERS = Family("user-kNN", _users, ({"neighbours": (20, 50, 100, 200, 500)},))
