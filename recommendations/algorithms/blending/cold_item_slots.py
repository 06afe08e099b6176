"""Places in lists for items that nobody has chosen yet (cold items): whom they fit, and how many places pay.

A cold item is put where something better known would stand, so each place costs what that one would have brought. How
many places lists have is decided by each training on its validation fold, where items without a row in the past stand
for cold ones. Where it does not say that they pay, there are a few places behind the first ones, so that new items can
be found at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from recommendations.algorithms.blending.cold_item_trials import Trial, trials
from recommendations.algorithms.blending.selection import Choice
from recommendations.algorithms.data.dataset import IntArray, Interactions, Matrix
from recommendations.algorithms.inference.cold_items import EXPLORING, ColdSlots, World
from recommendations.algorithms.inference.scoring import Read
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import Fold

# What the fold may give instead, if it pays.
TRIED = (20, 10)


def choose_slots(
    fold: Fold,
    choice: Choice,
    interactions: Interactions,
    places: IntArray,
    content: Mapping[str, Matrix],
    blend: Sequence[Read],
    options: TrainingOptions,
) -> ColdSlots:
    """Decide about cold items.

    `blend` are the reads that will serve. `content` is over all items of the catalogue, and `places` is where those of
    the interactions stand among them.
    """
    if not content:
        return ColdSlots(0, compete=False, why="Nothing is known of items that nobody has chosen: they have no texts.")
    world = World(places, content, [read for read in blend if read.algorithm in content])
    fit_from = world.fit_from(interactions, options)
    tried = trials(fold, choice, world, fit_from, (EXPLORING, *TRIED))
    return replace(decide(tried, options.cold_every), fit_from=fit_from)


def decide(tried: Sequence[Trial], wanted: int | None) -> ColdSlots:
    """Return the decision on these trials, unless a number of places is `wanted`."""
    measured: dict[str, Any] = {"fold": [trial.said for trial in tried]} if tried else {}
    compete = any(trial.pays for trial in tried if not trial.every)
    if wanted is not None:
        return ColdSlots(wanted, compete and wanted > 0, "It was asked for.", measured)
    best = max((trial for trial in tried if trial.pays), key=lambda trial: trial.gain, default=None)
    if best is None:
        why = "On the validation fold items that nobody had chosen" if tried else "Nothing has been measured yet"
        why += " brought no more hits than what they displaced" if tried else ""
        why = f"{why}: none in the first {EXPLORING - 1} places."
        return ColdSlots(EXPLORING, compete=False, why=why, measured=measured)
    how = f"one place in {best.every} for items" if best.every else "competing items"
    why = f"On the validation fold {how} that nobody had chosen brought more hits."
    return ColdSlots(best.every or EXPLORING, compete or 0 < best.every <= max(TRIED), why, measured)
