"""Beyond-accuracy metrics: novelty, diversity and popularity bias of the first ten items of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.data.history import History
from recommendations.algorithms.data.topk import inverse_power

BEYOND_ACCURACY = ("novelty@10", "diversity@10", "popularity_bias@10")


class BeyondAccuracy:
    """Measures lists against the training interactions.

    - novelty@10: mean of -log2 of the share of users who chose the item (Castells et al. 2015); an item
      without users counts as chosen by one.
    - diversity@10: 1 - mean cosine of pairs of items, an item being the set of users who chose it (Ziegler 2005).
    - popularity_bias@10: the popularity of the recommended items over that of the user's history; 1 is a list as
      popular as the user's own choices (Abdollahpouri et al. 2019).
    """

    def __init__(self, interactions: Interactions) -> None:
        counts = interactions.item_counts()
        self._counts = counts.astype(np.float64)
        self._rarity = -np.log2(np.maximum(counts, 1) / max(1, interactions.user_count))
        scale = sparse.diags_array(inverse_power(counts, 0.5))
        self._columns = sparse.csr_array((interactions.matrix() @ scale).T)

    def measure(self, lists: Sequence[NDArray[Any]], histories: Sequence[History]) -> dict[str, float]:
        """Return means over users with a list; the bias leaves out users without history."""
        rarity, variety, bias = [], [], []
        for ranked, history in zip(lists, histories, strict=True):
            first = ranked[:10]
            if not len(first):
                continue
            rarity.append(float(self._rarity[first].mean()))
            if len(first) > 1:
                variety.append(self._variety(first))
            if len(history.items) and (own := self._counts[history.items].mean()) > 0:
                bias.append(float(self._counts[first].mean() / own))
        found = zip(BEYOND_ACCURACY, (rarity, variety, bias), strict=True)
        return {name: float(np.mean(values)) if values else 0.0 for name, values in found}

    def _variety(self, first: NDArray[Any]) -> float:
        rows = self._columns[first]
        cosines = (rows @ rows.T).toarray()
        pairs = len(first) * (len(first) - 1)
        return float(1.0 - (cosines.sum() - np.trace(cosines)) / pairs)
