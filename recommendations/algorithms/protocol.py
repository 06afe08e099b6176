"""What an algorithm is: something that turns interactions into scores of items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from recommendations.algorithms.dataset import FloatArray, Interactions, Matrix
from recommendations.algorithms.options import TrainingOptions


@dataclass(frozen=True, eq=False)
class ItemVector:
    """One score per item, the same for everybody: (items,)."""

    values: FloatArray


@dataclass(frozen=True, eq=False)
class ItemMatrix:
    """(items, items), nothing negative: row i says what having i speaks for. A person's scores are the sum of
    the rows of their history, each times its recency weight."""

    values: Matrix


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
