"""Training: chooses a blend on a validation fold, then fits its algorithms on all interactions."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.models.content import TEXT, Catalogue
from recommendations.algorithms.training.fold_decisions import decide_on_fold
from recommendations.algorithms.training.item_space import ItemSpace
from recommendations.algorithms.training.parameter_search import SelectedHyperparameters
from recommendations.algorithms.training.progress import Progress, ignore_progress
from recommendations.algorithms.training.refit import refit
from recommendations.algorithms.training.time_budget import TimeBudget
from recommendations.algorithms.training_options import TrainingOptions


class NoInteractions(ValueError):
    """There is no interaction to learn from; import events first."""


def train(
    interactions: Interactions,
    options: TrainingOptions,
    progress: Progress | None = None,
    *,
    catalogue: Catalogue | None = None,
    known: SelectedHyperparameters | None = None,
    timer: Callable[[], float] = time.monotonic,
) -> Artefact:
    """Return the artefact of these interactions and of the catalogue's other items.

    1. Cut a validation fold out of the interactions, in time where there are times.
    2. Fit every applicable algorithm on the fold's past, with a search of its hyperparameters unless a training on
       nearly the same data `known` has chosen them. Content matrices need no fit.
    3. On the fold choose half-lives, blend weights, a second stage and the slots of cold items.
    4. Fit the algorithms of the blend again on all interactions, and add the catalogue's items without interactions.

    The time budget may leave out algorithms on the fold, and the final fit of others, which then serve as fitted on
    the fold's past.

    Deterministic for equal arguments on one machine, unless the time budget runs out. Peak memory is that of one
    dense array within `options.max_dense_items` plus the sparse matrices.

    Raises:
        NoInteractions: the interactions are empty.
    """
    if not interactions.row_count:
        raise NoInteractions("there are no interactions to train on: import events first")
    report = progress or ignore_progress
    budget = TimeBudget(options.seconds, timer)
    with threadpool_limits(limits=options.threads):
        items = ItemSpace.from_catalogue(interactions, catalogue, options)
        decisions = decide_on_fold(interactions, items, options, known, budget, report, timer)
        fitted = refit(interactions, decisions, items, budget, report)
    report("trained", 1.0)
    has_text = catalogue is not None and TEXT in items.content
    return Artefact(
        item_ids=items.item_ids,
        fitted=fitted,
        scorers=tuple(decisions.blend),
        weights=np.array(list(decisions.blend.values())),
        chosen=decisions.as_json() | {"skipped": budget.skipped, "not_refitted": budget.not_refitted},
        validation_scores=decisions.validation_scores,
        ranker=decisions.second_stage.text,
        cold=items.cold_items(fitted),
        similarity_thresholds=decisions.slots.similarity_thresholds,
        texts=catalogue.text_index(items.item_ids, items.content[TEXT]) if catalogue and has_text else None,
    )
