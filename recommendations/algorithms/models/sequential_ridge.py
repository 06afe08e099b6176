"""Sequential ridge: a regression from the latest steps of a user to the next ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from recommendations.algorithms.data.dataset import FloatArray, IntArray, Interactions, Matrix
from recommendations.algorithms.data.sequences import Steps, window_within
from recommendations.algorithms.data.topk import prune_dense, scatter, stored_form
from recommendations.algorithms.models.protocol import ItemMatrix
from recommendations.algorithms.training_options import TrainingOptions


@dataclass(frozen=True)
class SequentialRidge:
    """M = (Z'Z + l2 I)^-1 Z'Y over the steps of all users, for the `items` most chosen items.

    A row of Z holds the items up to `past` steps before a step, weighing 2 ** (-(d - 1) / half_life) at distance d; the
    row of Y is the step itself and the `ahead` steps after it, weighing 1 / (d + 1), the items of each step
    sharing 1. Unlike counts, the regression does not add up the evidence of several earlier items that go together.
    """

    l2: float = 100.0
    items: int = 3_000
    past: int = 20
    half_life: float = 5.0
    ahead: int = 2
    name: str = "past_to_next"
    family: str = "next_item"
    half_lives: tuple[float, ...] = (5.0, 10.0)

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Return whether there are times."""
        return interactions.times is not None

    def fit(self, interactions: Interactions, options: TrainingOptions) -> ItemMatrix:
        """Solve the normal equations, then keep the strongest weights of each row."""
        usable = interactions.most_chosen(min(self.items, options.max_dense_items))
        before, after = self._past_and_next(interactions, options, usable)
        gram: FloatArray = np.asarray((before.T @ before).todense(), dtype=np.float32)
        target: FloatArray = np.asarray((before.T @ after).todense(), dtype=np.float32)
        gram[np.diag_indices_from(gram)] += np.float32(self.l2)
        factor = linalg.cho_factor(gram, lower=True, overwrite_a=True)
        weights = linalg.cho_solve(factor, target, overwrite_b=True)
        np.fill_diagonal(weights, 0.0)
        pruned = stored_form(prune_dense(weights, options.neighbours_for(interactions.item_count)))
        return ItemMatrix(scatter(pruned, usable, interactions.item_count))

    def _past_and_next(
        self, interactions: Interactions, options: TrainingOptions, usable: IntArray
    ) -> tuple[Matrix, Matrix]:
        """Return Z and Y, (steps, usable items) each."""
        steps = Steps.from_interactions(interactions).select_items(usable)
        window = window_within(self.past, interactions, options.max_pairs)
        before = steps.earlier(np.exp2(-np.arange(window) / self.half_life).astype(np.float32))
        after = steps.shares + steps.later((1 / np.arange(2, self.ahead + 2)).astype(np.float32))
        return before, after
