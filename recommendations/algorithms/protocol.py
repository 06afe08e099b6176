"""What an algorithm is: something that turns interactions into scores of items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.algorithms.dataset import FloatArray, Interactions, Matrix
from recommendations.algorithms.options import TrainingOptions


@dataclass(frozen=True, eq=False)
class ItemVector:
    """One score per item, the same for everybody: (items,)."""

    values: FloatArray


@dataclass(frozen=True, eq=False)
class Changes:
    """What has become of a matrix since it was fitted.

    Attributes:
        replaced: (items,) marks the items whose rows and columns no longer hold.
        added: (items, items) what holds in their place, and the entries of items that came since.
    """

    replaced: NDArray[np.bool_]
    added: Matrix


@dataclass(frozen=True, eq=False)
class ItemMatrix:
    """(items, items), nothing negative: row i says what having i speaks for. A person's scores are the sum of
    the rows of their history, each times its recency weight.

    `values` may be mapped from a file that processes share; what has changed since stands apart.
    """

    values: Matrix
    changes: Changes | None = None

    def spoken(self, weights: Matrix) -> Matrix:
        """Return weights (people, items) times this matrix."""
        if self.changes is None:
            return weights @ self.values
        heard = sparse.csr_array(weights, copy=True)
        heard.data[self.changes.replaced[heard.indices]] = 0
        old = heard @ self.values
        old.data[self.changes.replaced[old.indices]] = 0
        return sparse.csr_array(old + weights @ self.changes.added)

    def rows(self, items: NDArray[np.integer]) -> Matrix:
        """Return the rows of these items, in this order."""
        if self.changes is None:
            return self.values[items]
        shape = (len(items), self.values.shape[0])
        ones = np.ones(len(items), dtype=np.float32)
        return self.spoken(sparse.csr_array((ones, items, np.arange(len(items) + 1)), shape=shape))


Fitted = ItemVector | ItemMatrix


class Algorithm(Protocol):
    """One way of scoring items. Stateless: everything learnt is in what `fit` returns."""

    @property
    def name(self) -> str:
        """The key in the registry, in artefacts and in reports."""

    @property
    def family(self) -> str:
        """What a reason can be written from: several algorithms may share it."""

    @property
    def half_lives(self) -> tuple[float, ...]:
        """Half-lives in rows, `inf` for none, that a history may be read with; empty for an ItemVector."""

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Say whether the data has what this algorithm needs and fits the limits in `options`."""

    def fit(self, interactions: Interactions, options: TrainingOptions) -> Fitted:
        """Learn from the interactions; items without a row score 0."""
