"""Co-occurrence: weighted counts of the items that users chose around the same time, before or after."""

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
class CoOccurrence:
    """M[i, j] = n_i ** -0.5 * n_j ** -0.3 * sum over "i and j lie d steps apart" of 2 ** (-d / 2), d to `window`.

    n counts users. Items of one step lie 0 steps apart. The smaller power on the target keeps more of its
    popularity, which makes the counts usable alone.
    """

    window: int = 5
    name: str = "co_occurrence"
    family: str = "co_occurrence"
    half_lives: tuple[float, ...] = (2.0, 5.0)

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Return whether there are times."""
        return interactions.times is not None

    def fit(self, interactions: Interactions, options: TrainingOptions) -> ItemMatrix:
        """Count pairs in both directions, keeping the top entries of each row."""
        steps = Steps.from_interactions(interactions)
        window = window_within(self.window, interactions, options.max_pairs)
        decay = np.exp2(-np.arange(1, window + 1) / 2).astype(np.float32)
        later = steps.later(decay)
        source = sparse.diags_array(inverse_power(interactions.item_counts(), 0.5))
        target = sparse.diags_array(inverse_power(interactions.item_counts(), 0.3))
        # contents' (later + half of the same step) plus its transpose, as one product.
        ahead = later + steps.shares * np.float32(0.5)
        left = sparse.hstack([steps.contents.T, ahead.T], format="csr")
        right = sparse.vstack([ahead, steps.contents], format="csr")
        keep = options.neighbours_for(interactions.item_count)
        counts = sparse_product(source @ left, right @ target, keep=keep, threads=options.threads)
        return ItemMatrix(stored_form(counts))
