"""Graph filter: the smooth part of the people x items graph, a low-pass filter over its spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from recommendations.algorithms.dataset import FloatArray, Interactions, Matrix
from recommendations.algorithms.options import TrainingOptions
from recommendations.algorithms.protocol import ItemMatrix
from recommendations.algorithms.pruning import blocks, inverse_power, prune_dense, stack

# Singular values below this share of the largest are noise.
NEGLIGIBLE = 1e-4


@dataclass(frozen=True)
class GraphFilter:
    """M = D^-1/2 V V' D^1/2, V the `rank` leading right singular vectors of the degree-normalised matrix.

    D holds the items' degrees. Shen et al. 2021, "How powerful is graph convolution for recommendation?" (GF-CF).
    """

    rank: int = 64
    name: str = "graph_filter"
    family: str = "item_item"
    half_lives: tuple[float, ...] = (5.0, np.inf)

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """The product is made in blocks of rows, yet costs items x items x rank."""
        enough = min(interactions.user_count, interactions.item_count) > 2
        return enough and interactions.item_count <= options.max_dense_items

    def fit(self, interactions: Interactions, options: TrainingOptions) -> ItemMatrix:
        """Decompose, then keep the largest positive weights of each row."""
        degrees = interactions.item_counts()
        people = np.bincount(interactions.users, minlength=interactions.user_count)
        normalised = sparse.csr_array(
            sparse.diags_array(inverse_power(people, 0.5))
            @ interactions.matrix()
            @ sparse.diags_array(inverse_power(degrees, 0.5))
        )
        vectors = self._leading_vectors(normalised, options)
        left = vectors * inverse_power(degrees, 0.5)[:, None]
        right = vectors * np.sqrt(degrees.astype(np.float32))[:, None]
        keep = options.neighbours_for(interactions.item_count)
        parts = []
        for block in blocks(interactions.item_count):
            weights: FloatArray = np.asarray(left[block] @ right.T, dtype=np.float32)
            weights[np.arange(len(weights)), np.arange(block.start, block.stop)] = 0.0
            parts.append(prune_dense(weights, keep))
        return ItemMatrix(stack(parts, interactions.item_count))

    def _leading_vectors(self, normalised: Matrix, options: TrainingOptions) -> FloatArray:
        """Return (items, rank or fewer) right singular vectors, by whichever way is cheaper."""
        people, items = normalised.shape
        # A filter that lets nearly everything pass filters nothing.
        rank = min(self.rank, max(2, min(people, items) // 4))
        if people <= options.max_dense_people:
            values, left = np.linalg.eigh((normalised @ normalised.T).toarray())
            values, left = np.sqrt(np.maximum(values[-rank:], 0)), left[:, -rank:]
            used = values > NEGLIGIBLE * values.max(initial=0.0)
            return np.asarray((normalised.T @ left[:, used]) / values[used], dtype=np.float32)
        start = np.ones(min(people, items), dtype=np.float32)
        _, values, right = svds(normalised, k=rank, v0=start)
        used = values > NEGLIGIBLE * values.max(initial=0.0)
        return np.asarray(right[used].T, dtype=np.float32)
