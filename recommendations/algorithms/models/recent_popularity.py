"""Recent popularity: popularity with rows that decay with age."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.models.protocol import ItemVector
from recommendations.algorithms.training_options import TrainingOptions

DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class RecentPopularity:
    """score(i) = sum over the rows of i of strength * 2 ** (-age / half-life); age counts from `Interactions.end`."""

    days: int
    family: str = "recent_popularity"
    half_lives: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        return f"recent_popularity@{self.days}d"

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Return whether there are times."""
        return interactions.times is not None

    def fit(self, interactions: Interactions, options: TrainingOptions) -> ItemVector:
        """Sum the decayed rows.

        Raises:
            ValueError: the interactions have no times.
        """
        if interactions.times is None:
            raise ValueError("recent popularity needs times: ask applies_to first")
        ages = np.maximum(interactions.end() - interactions.times, 0.0)
        decayed = np.exp2(-ages / (self.days * DAY_SECONDS)) * interactions.row_strengths()
        counts = np.bincount(interactions.items, weights=decayed, minlength=interactions.item_count)
        return ItemVector(counts.astype(np.float32))
