"""Slots in lists for items without interactions (cold items): which users they match, and how many slots pay off.

A cold item takes the place of a better-known one, so each slot costs what that one would have brought. Each training
decides the number of slots on its validation fold, where items without a row in the past stand for cold ones. Where
the fold does not say that they pay off, there are a few slots far down the list, so that new items can be found at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from recommendations.algorithms.blending.cold_item_trials import SlotTrial, run_trials
from recommendations.algorithms.blending.selection import BlendSelection
from recommendations.algorithms.data.dataset import IntArray, Interactions, Matrix
from recommendations.algorithms.inference.cold_items import EXPLORATION_INTERVAL, ColdItemSlots, ContentIndex
from recommendations.algorithms.inference.scoring import ScorerConfig
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import Fold

# Intervals that are tried besides the default one.
TRIED_INTERVALS = (20, 10)


def choose_slots(
    fold: Fold,
    selection: BlendSelection,
    interactions: Interactions,
    places: IntArray,
    content: Mapping[str, Matrix],
    blend: Sequence[ScorerConfig],
    options: TrainingOptions,
) -> ColdItemSlots:
    """Choose the slots on the fold.

    `blend` holds the scorers that will serve, `content` matrices over all items, and `places` the indices of the
    interactions' items among these.
    """
    if not content:
        why = "Cold items have no texts."
        return ColdItemSlots(0, compete=False, why=why)
    index = ContentIndex(places, content, [scorer for scorer in blend if scorer.algorithm in content])
    thresholds = index.similarity_thresholds(interactions, options)
    trials = run_trials(fold, selection, index, thresholds, (EXPLORATION_INTERVAL, *TRIED_INTERVALS))
    return replace(decide_slots(trials, options.cold_every), similarity_thresholds=thresholds)


def decide_slots(trials: Sequence[SlotTrial], wanted: int | None) -> ColdItemSlots:
    """Return the decision on these trials, unless an interval is `wanted`."""
    measured: dict[str, Any] = {"fold": [trial.as_json() for trial in trials]} if trials else {}
    compete = any(trial.pays for trial in trials if not trial.every)
    if wanted is not None:
        return ColdItemSlots(wanted, compete and wanted > 0, "It was requested.", measured)
    best = max((trial for trial in trials if trial.pays), key=lambda trial: trial.gain, default=None)
    if best is None:
        why = "On the validation fold cold items" if trials else "Nothing has been measured yet"
        why += " brought no more hits than the items that they displaced" if trials else ""
        why = f"{why}: none in the first {EXPLORATION_INTERVAL - 1} positions."
        return ColdItemSlots(EXPLORATION_INTERVAL, compete=False, why=why, measured=measured)
    how = f"one position in {best.every} for cold items" if best.every else "competing cold items"
    why = f"On the validation fold {how} brought more hits."
    compete = compete or 0 < best.every <= max(TRIED_INTERVALS)
    return ColdItemSlots(best.every or EXPLORATION_INTERVAL, compete, why, measured)
