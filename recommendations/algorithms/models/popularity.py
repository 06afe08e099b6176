"""Popularity: the number of users who chose an item, weighted by strength."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.models.protocol import ItemVector
from recommendations.algorithms.training_options import TrainingOptions


@dataclass(frozen=True)
class Popularity:
    """score(i) = sum of the strengths of the rows of i: the number of its users where all strengths are equal."""

    name: str = "popularity"
    family: str = "popularity"
    half_lives: tuple[float, ...] = ()

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Return True."""
        return True

    def fit(self, interactions: Interactions, options: TrainingOptions) -> ItemVector:
        """Count."""
        strengths = interactions.row_strengths()
        counts = np.bincount(interactions.items, weights=strengths, minlength=interactions.item_count)
        return ItemVector(counts.astype(np.float32))
