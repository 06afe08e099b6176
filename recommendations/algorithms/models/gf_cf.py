"""GF-CF: a low-pass filter over the spectrum of the users x items graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.data.topk import inverse_power
from recommendations.algorithms.models.protocol import FactorMatrix
from recommendations.algorithms.models.svd import leading_vectors
from recommendations.algorithms.training_options import TrainingOptions


@dataclass(frozen=True)
class GFCF:
    """M = D^-1/2 V V' D^1/2, V the `rank` leading right singular vectors of the degree-normalised matrix.

    D holds the items' degrees. Shen et al. 2021, "How powerful is graph convolution for recommendation?" (GF-CF).
    """

    rank: int = 64
    name: str = "graph_filter"
    family: str = "item_item"
    half_lives: tuple[float, ...] = (5.0, np.inf)

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Return whether the data suffices; the cost grows with the interactions, not with the pairs of items."""
        enough = min(interactions.user_count, interactions.item_count) > 2
        return enough and interactions.item_count <= options.max_blocked_items

    def fit(self, interactions: Interactions, options: TrainingOptions) -> FactorMatrix:
        """Decompose and keep the factors."""
        degrees = interactions.item_counts()
        users = np.bincount(interactions.users, minlength=interactions.user_count)
        normalised = sparse.csr_array(
            sparse.diags_array(inverse_power(users, 0.5))
            @ interactions.matrix()
            @ sparse.diags_array(inverse_power(degrees, 0.5))
        )
        vectors = leading_vectors(normalised, self.rank, options)
        return FactorMatrix.from_factors(vectors, inverse_power(degrees, 0.5), np.sqrt(degrees))
