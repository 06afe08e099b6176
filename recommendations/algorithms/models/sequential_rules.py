"""Sequential rules: weighted counts of the items that users chose after each item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.data.sequences import Steps, window_within
from recommendations.algorithms.data.topk import inverse_power, sparse_product, stored_form
from recommendations.algorithms.models.protocol import ItemMatrix
from recommendations.algorithms.training_options import TrainingOptions


@dataclass(frozen=True)
class SequentialRules:
    """M[i, j] = |users with i| ** -1/2 * sum over "j came d steps after i" of 1 / d, d up to `window`.

    A step is everything of one moment; its items share one count, so ties count alike in any order.
    Weighted sequential rules: Ludewig and Jannach 2018, "Evaluation of session-based recommendation algorithms".
    """

    window: int
    half_lives: tuple[float, ...]
    family: str = "next_item"

    @property
    def name(self) -> str:
        return f"next_item@{self.window}"

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Return whether there are times."""
        return interactions.times is not None

    def fit(self, interactions: Interactions, options: TrainingOptions) -> ItemMatrix:
        """Count pairs of steps, keeping the top entries of each row."""
        steps = Steps.from_interactions(interactions)
        window = window_within(self.window, interactions, options.max_pairs)
        decay = (1.0 / np.arange(1, window + 1)).astype(np.float32)
        scale = sparse.diags_array(inverse_power(interactions.item_counts(), 0.5))
        keep = options.neighbours_for(interactions.item_count)
        counts = sparse_product(scale @ steps.contents.T, steps.later(decay), keep=keep, threads=options.threads)
        return ItemMatrix(stored_form(counts))
