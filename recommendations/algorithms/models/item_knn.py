"""Item-item kNN by cosine: sparse at every step, so it scales to any catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from scipy import sparse

from recommendations.algorithms.data.dataset import Interactions, Matrix
from recommendations.algorithms.data.topk import inverse_power, sparse_product, stored_form
from recommendations.algorithms.models.protocol import ItemMatrix
from recommendations.algorithms.training_options import TrainingOptions

# Up to so many items the cosines are kept as long as the interactions live, 16 MB at most, by the number per row: a
# search over the shrinkage multiplies once.
KEPT_ITEMS = 10_000
_kept: WeakKeyDictionary[Interactions, dict[int, Matrix]] = WeakKeyDictionary()


@dataclass(frozen=True)
class ItemKNN:
    """M[i, j] = |users with i and j| / sqrt(|users with i| |users with j|), the largest per row.

    Sarwar et al. 2001, "Item-based collaborative filtering recommendation algorithms".
    """

    shrinkage: float = 0.0
    name: str = "item_item"
    family: str = "item_item"
    half_lives: tuple[float, ...] = (2.0, 5.0, np.inf)

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Return True."""
        return True

    def fit(self, interactions: Interactions, options: TrainingOptions) -> ItemMatrix:
        """Multiply the column-normalised matrix by its transpose."""
        return ItemMatrix(stored_form(self._shrunk(self._cosines(interactions, options), interactions)))

    def _cosines(self, interactions: Interactions, options: TrainingOptions) -> Matrix:
        """Return the largest cosines of each row, for the caller to change."""
        keep = options.neighbours_for(interactions.item_count)
        known = _kept.setdefault(interactions, {})
        if keep in known:
            return known[keep].copy()
        matrix = interactions.matrix()
        scale = sparse.diags_array(inverse_power((matrix * matrix).sum(axis=0), 0.5))
        normalised = sparse.csr_array(matrix @ scale)
        cosines = sparse.csr_array(sparse_product(normalised.T, normalised, keep=keep, threads=options.threads))
        if interactions.item_count <= KEPT_ITEMS:
            known[keep] = cosines.copy()
        return cosines

    def _shrunk(self, cosines: Matrix, interactions: Interactions) -> Matrix:
        """Return cosine * n / (n + shrinkage), n users having both: few users in common are little evidence."""
        if self.shrinkage:
            counts = np.sqrt(interactions.item_counts().astype(np.float32))
            rows = np.repeat(np.arange(cosines.shape[0]), np.diff(cosines.indptr))
            both = cosines.data * counts[rows] * counts[cosines.indices]
            cosines.data = (cosines.data * both / (both + self.shrinkage)).astype(np.float32)
        return cosines
