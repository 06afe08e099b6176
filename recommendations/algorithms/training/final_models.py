"""The algorithms that an artefact needs, and the one that answers "similar items"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.models.protocol import Algorithm, FactorMatrix, Fitted, ItemVector
from recommendations.algorithms.training.blend import Blend
from recommendations.algorithms.training.validation_fit import POPULARITY_FAMILIES, SIMILAR_ITEM_MODELS

# The share of the chosen items that a matrix must know to answer "similar items" for all.
MIN_KNOWN_SHARE = 0.9


def similar_items_model(fitted: dict[str, Fitted], past: Interactions) -> str:
    """Return the name of the matrix that answers "similar items"; neighbours know every item."""
    ease, neighbours = SIMILAR_ITEM_MODELS
    return ease if ease in fitted and _knows_most(fitted[ease], past) else neighbours


def algorithms_to_refit(usable: Sequence[Algorithm], blend: Blend, similar: str) -> list[Algorithm]:
    """Return the algorithms that an artefact needs, heavy weights first, before the time runs out."""
    weight: dict[str, float] = {}
    for scorer, share in blend.items():
        weight[scorer.algorithm] = weight.get(scorer.algorithm, 0.0) + share
    wanted = [
        algorithm
        for algorithm in usable
        if algorithm.family in POPULARITY_FAMILIES or algorithm.name == similar or algorithm.name in weight
    ]
    return sorted(
        wanted,
        key=lambda algorithm: (algorithm.family not in POPULARITY_FAMILIES, -weight.get(algorithm.name, 0.0)),
    )


def _knows_most(part: Fitted, interactions: Interactions) -> bool:
    """Return whether the matrix relates nearly every item with interactions to another one."""
    if isinstance(part, ItemVector):
        return False
    chosen = np.flatnonzero(interactions.item_counts())
    if isinstance(part, FactorMatrix):
        known = np.any(part.vectors[chosen], axis=1)
    else:
        known = np.diff(part.values.indptr)[chosen] > 0
    return bool(known.mean() > MIN_KNOWN_SHARE)
