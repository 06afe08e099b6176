"""The decisions of a training on its validation fold: blend, second stage, slots of cold items."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from recommendations.algorithms.blending.cold_item_slots import choose_slots
from recommendations.algorithms.blending.ranker_training import SecondStage
from recommendations.algorithms.blending.selection import BlendSelection, select_blend
from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.inference.cold_items import ColdItemSlots
from recommendations.algorithms.inference.scoring import ScorerConfig
from recommendations.algorithms.models.protocol import Algorithm
from recommendations.algorithms.training.blend import Blend, final_blend, fit_second_stage
from recommendations.algorithms.training.final_models import algorithms_to_refit, similar_items_model
from recommendations.algorithms.training.item_space import ItemSpace
from recommendations.algorithms.training.parameter_search import HyperparameterSearch, SelectedHyperparameters
from recommendations.algorithms.training.progress import Progress
from recommendations.algorithms.training.scorers import all_scorer_configs
from recommendations.algorithms.training.time_budget import TimeBudget
from recommendations.algorithms.training.validation_fit import fit_on_fold
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import make_fold
from recommendations.algorithms.validation.quality_gate import ValidationScores


@dataclass(frozen=True, eq=False)
class FoldDecisions:
    """Decisions of a training on its validation fold.

    Attributes:
        search: the fold, what was fitted on it, and the hyperparameters.
        hyperparameter_rows: the rows of the data that the hyperparameters were selected on.
        scorers: every scorer that could take part; `blend` holds those that do.
        wanted: the algorithms to fit on all interactions.
        similar: the name of the matrix that answers "similar items".
    """

    search: HyperparameterSearch
    hyperparameter_rows: int
    scorers: list[ScorerConfig]
    selection: BlendSelection
    blend: Blend
    second_stage: SecondStage
    slots: ColdItemSlots
    wanted: list[Algorithm]
    similar: str

    @property
    def validation_scores(self) -> ValidationScores:
        """Return NDCG@10 of what will be served, for the quality gate."""
        if self.second_stage.text:
            return self.selection.candidates.validation_scores(self.second_stage.ndcg)
        return self.selection.validation_scores

    def as_json(self) -> dict[str, Any]:
        """Return what the artefact keeps of the decisions."""
        fold, selection, options = self.search.fold, self.selection, self.search.options
        ndcg = zip(self.scorers, selection.ndcg, strict=True)
        return {
            "validation": {"fold": fold.protocol, "why": fold.why, "cuts": fold.cuts, "people": selection.users},
            "validation_people": selection.users,
            "decided": bool(selection.weights.any()),
            "weights": {scorer.label: round(weight, 6) for scorer, weight in self.blend.items()},
            "validation_ndcg@10": {
                **{scorer.label: round(float(value), 6) for scorer, value in ndcg},
                "blend": round(selection.blend_ndcg, 6),
            },
            "similar_from": self.similar,
            "cold": self.slots.as_json(),
            **({"parameters": dict(options.parameters)} if options.parameters else {}),
            "fitted_parameters": {
                "values": self.search.parameters,
                "fold": fold.protocol,
                "rows": self.hyperparameter_rows,
            },
            **({"second_stage": self.second_stage.report} if self.second_stage.report else {}),
        }


def decide_on_fold(
    interactions: Interactions,
    items: ItemSpace,
    options: TrainingOptions,
    known: SelectedHyperparameters | None,
    budget: TimeBudget,
    report: Progress,
    timer: Callable[[], float],
) -> FoldDecisions:
    """Cut the fold, fit every applicable algorithm on its past and decide everything that the fold can tell."""
    fold = make_fold(interactions, options)
    search = HyperparameterSearch.on_fold(fold, options, budget, timer)
    for fitted_on_part in search.fitted:
        fitted_on_part.update(items.content_of_interactions())
    if known is not None and not known.is_valid_for(fold, interactions.row_count):
        known = None
    with_times = interactions.times is not None
    usable = fit_on_fold(search, known, report, with_times=with_times)
    scorers = all_scorer_configs(usable, items.content, with_times=with_times)
    report("validation: choosing weights", 0.5)
    selection = select_blend(fold, search.fitted, scorers, options)
    blend = final_blend(scorers, selection, items.content)
    similar = similar_items_model(search.fitted[0], fold.parts[0].past)
    return FoldDecisions(
        search=search,
        hyperparameter_rows=known.rows if known else interactions.row_count,
        scorers=scorers,
        selection=selection,
        blend=blend,
        second_stage=fit_second_stage(selection, scorers, blend, search.fitted[0]["popularity"], options, budget),
        slots=choose_slots(fold, selection, interactions, items.places, items.content, list(blend), options),
        wanted=algorithms_to_refit(usable, blend, similar),
        similar=similar,
    )
