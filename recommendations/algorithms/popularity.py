"""Popularity: how many people chose an item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommendations.algorithms.dataset import Interactions
from recommendations.algorithms.options import TrainingOptions
from recommendations.algorithms.protocol import ItemVector


@dataclass(frozen=True)
class Popularity:
    """score(i) = number of people with a row for i."""

    name: str = "popularity"
    family: str = "popularity"
    half_lives: tuple[float, ...] = ()

    def applies_to(self, interactions: Interactions, options: TrainingOptions) -> bool:
        """Popularity always applies."""
        return True

    def fit(self, interactions: Interactions, options: TrainingOptions) -> ItemVector:
        """Count."""
        return ItemVector(interactions.item_counts().astype(np.float32))
