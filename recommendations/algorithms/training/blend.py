"""The blend that an artefact stores, and the second stage over it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recommendations.algorithms.blending.ranker_training import MIN_USERS, SecondStage, train_ranker
from recommendations.algorithms.blending.selection import BlendSelection
from recommendations.algorithms.inference import lightgbm_ranker
from recommendations.algorithms.inference.scoring import ScorerConfig
from recommendations.algorithms.models.protocol import Fitted, ItemVector
from recommendations.algorithms.training.time_budget import TimeBudget
from recommendations.algorithms.training_options import TrainingOptions

Blend = dict[ScorerConfig, float]

# The weight of content that earned none on the fold: above what fills lists (`blender.FILL`), and no more.
CONTENT_MIN_WEIGHT = 1e-4
# Used where the fold is too small to choose weights: neighbours, with a little popularity for sparse histories.
DEFAULT_WEIGHTS = {ScorerConfig("item_item", np.inf): 0.8, ScorerConfig("popularity", None): 0.2}
# The name of the second stage among what the time budget left out.
SECOND_STAGE = "the second stage"


def final_blend(scorers: list[ScorerConfig], selection: BlendSelection, content: Iterable[str]) -> Blend:
    """Return the weight of each scorer that takes part in the blend.

    Content that earned no weight gets a negligible one: it does not matter where anything else has a score, and is all
    there is for items without interactions.
    """
    blend = {
        scorer: float(weight) for scorer, weight in zip(scorers, selection.weights, strict=True) if weight > 0
    } or dict(DEFAULT_WEIGHTS)
    for name in content:
        if not takes_part(name, blend):
            own = [place for place, scorer in enumerate(scorers) if scorer.algorithm == name]
            best = max(own, key=lambda place: float(selection.ndcg[place]))
            blend[scorers[best]] = CONTENT_MIN_WEIGHT
    return blend


def takes_part(name: str, blend: Iterable[ScorerConfig]) -> bool:
    """Return whether a scorer of this algorithm is in the blend."""
    return any(scorer.algorithm == name for scorer in blend)


def fit_second_stage(
    selection: BlendSelection,
    scorers: list[ScorerConfig],
    blend: Blend,
    popularity: Fitted,
    options: TrainingOptions,
    budget: TimeBudget,
) -> SecondStage:
    """Return the second stage, or the reason why there is none."""
    if options.ranker == "none":
        return SecondStage.none()
    if selection.users < MIN_USERS or not selection.weights.any():
        return SecondStage.none(f"{selection.users} validation users, {MIN_USERS} are required")
    candidates = selection.candidates
    if candidates.protocol == "time":
        # Which items are popular after the cut differs from before it, and the stage would learn that of this fold.
        return SecondStage.none("the fold is cut in time")
    if not lightgbm_ranker.is_usable():
        return SecondStage.none("lightgbm cannot be loaded")
    if not budget.may_try(SECOND_STAGE, always=False):
        return SecondStage.none("no time left")
    assert isinstance(popularity, ItemVector)
    columns = [scorers.index(scorer) for scorer in blend]
    weights = np.array(list(blend.values()))
    return train_ranker(candidates.sets, columns, weights, popularity.values, candidates.blend_ndcg, options)
