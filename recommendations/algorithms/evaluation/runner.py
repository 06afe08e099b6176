"""Offline evaluation on raw rows: split, train exactly as production does, and measure the lists."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.evaluation.heldout_users import HeldOutUsers, Measurements, expand_to_items
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.inference.scoring import ScorerConfig
from recommendations.algorithms.metrics.bootstrap import CONFIDENCE, paired_interval
from recommendations.algorithms.models.content import Catalogue
from recommendations.algorithms.models.registry import ALGORITHMS
from recommendations.algorithms.training.hyperparameters import configured_algorithms
from recommendations.algorithms.training.scorers import content_scorer_configs, scorer_configs
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import make_fold
from recommendations.algorithms.validation.report import EQUIVALENT_PROTOCOL
from recommendations.algorithms.validation.splitting import Protocol, Rows, Split, split

# The name of the lists without the second stage that reranks them.
BLEND = "blend"


@dataclass(frozen=True)
class Report:
    """The measurements of one run.

    Attributes:
        models: each algorithm alone.
        stages: the blend without the second stage, where there is one.
        served: the lists that production would serve.
        leads: the difference of `served`, within users, to the best model and to each stage.
        measured: the values per user behind them, by the same names and "served".
    """

    protocol: str
    seed: int
    models: dict[str, dict[str, Any]]
    stages: dict[str, dict[str, Any]]
    served: dict[str, Any]
    leads: dict[str, dict[str, Any]]
    chosen: dict[str, Any]
    data: dict[str, int]
    measured: dict[str, Measurements] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "protocol": self.protocol,
            "seed": self.seed,
            "models": self.models,
            "stages": self.stages,
            "served": self.served,
            "leads": self.leads,
            "chosen": self.chosen,
            "data": self.data,
        }


def evaluate(
    rows: Rows,
    protocol: str,
    seed: int = 0,
    options: TrainingOptions | None = None,
    *,
    catalogue: Catalogue | None = None,
    with_models: bool | Collection[str] = True,
    most_people: int | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Report:
    """Split the rows, train on the one part and measure on the other.

    The protocol only says how the test rows are split off: training uses these options, and so the validation fold that
    production would use.

    Args:
        rows: raw rows in file order.
        protocol: one of `splitting.PROTOCOLS`.
        seed: of the split and of the sample of users.
        options: of the training.
        catalogue: its items take part by their texts, those without interactions too.
        with_models: False measures only the served lists; names measure these algorithms alone as well.
        most_people: the maximum number of test users.
        progress: called during the training.

    Raises:
        InvalidSplit: an unknown protocol, or one that needs missing times.
        NothingToLearn: the train part is empty.
    """
    options = options or TrainingOptions()
    parts = split(rows, protocol=protocol, seed=seed)
    weighted = HeldOutUsers.weighted_interactions(rows, parts.train, options)
    artefact = train(weighted.interactions, options, progress, catalogue=catalogue)
    artefact = replace(artefact, chosen=artefact.chosen | {"values": weighted.as_json()})
    interactions = expand_to_items(weighted.interactions, artefact.item_ids)
    heldout = HeldOutUsers.from_rows(rows, parts.test, interactions, most=most_people, seed=seed)
    scorers = _select_scorers(artefact, options, with_models)
    measured = _measure_stages(heldout, artefact) | _measure_models(heldout, scorers, interactions, artefact, options)
    return Report(
        protocol=protocol,
        seed=seed,
        models={name: {**measured[name].summary(), "read": scorer.label} for name, scorer in scorers.items()},
        stages={BLEND: measured[BLEND].summary()} if BLEND in measured else {},
        served=measured["served"].summary(),
        leads=_leads(measured, scorers),
        chosen=artefact.chosen,
        data=_counts(parts, interactions, heldout) | {"cold_items": len(artefact.cold)},
        measured=measured,
    )


def _select_scorers(
    artefact: Artefact, options: TrainingOptions, with_models: bool | Collection[str]
) -> dict[str, ScorerConfig]:
    """Return the scorers to measure alone, by kind of algorithm: all, none, or those of the named kinds."""
    if with_models is False:
        return {}
    scorers = best_scorers(artefact, options)
    if with_models is True:
        return scorers
    return {name: scorer for name, scorer in scorers.items() if name in with_models}


def _measure_stages(heldout: HeldOutUsers, artefact: Artefact) -> dict[str, Measurements]:
    """Return the measurements of the served lists, and of those without the second stage where there is one."""
    measured = {"served": heldout.measure(artefact)}
    if artefact.ranker:
        measured[BLEND] = heldout.measure(replace(artefact, ranker=""))
    return measured


def _measure_models(
    heldout: HeldOutUsers,
    scorers: Mapping[str, ScorerConfig],
    interactions: Interactions,
    artefact: Artefact,
    options: TrainingOptions,
) -> dict[str, Measurements]:
    """Return the measurements of each of these scorers alone."""
    with threadpool_limits(limits=options.threads):
        return {
            name: heldout.measure(_alone(scorer, interactions, artefact, options)) for name, scorer in scorers.items()
        }


def _counts(parts: Split, interactions: Interactions, heldout: HeldOutUsers) -> dict[str, Any]:
    return {
        "train_rows": int(parts.train.sum()),
        "test_rows": int(parts.test.sum()),
        "test_people": len(heldout.users),
        "train_people": interactions.user_count,
        "train_items": int((interactions.item_counts() > 0).sum()),
        "unseen_test_items": heldout.unseen,
    }


def protocol_for_fold(rows: Rows, options: TrainingOptions) -> Protocol:
    """Return the protocol that is equivalent to the validation fold of a training on all rows."""
    if not len(rows.users):
        return "rand10"
    everything = HeldOutUsers.to_interactions(rows, np.ones(len(rows.users), dtype=bool))
    return EQUIVALENT_PROTOCOL[make_fold(everything, options).protocol]


def _leads(measured: dict[str, Measurements], models: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the difference of NDCG@10 to the best single model and to the blend alone, with 95 % intervals.

    The best model is selected on the users that it is compared on, so it may look good by luck: `worse` is true only
    where the interval corrected for all models (Bonferroni 1936) lies below 0.
    """
    means = {name: float(each.values["ndcg@10"].mean()) for name, each in measured.items() if len(each.known)}
    compared = [name for name in means if name == BLEND]
    if alone := [name for name in means if name in models]:
        compared.append(max(alone, key=lambda name: means[name]))
    leads = {}
    for name in compared:
        ours, theirs = measured["served"].values["ndcg@10"], measured[name].values["ndcg@10"]
        difference = paired_interval(ours, theirs)
        picked_of = len(alone) if name in models else 1
        wide = paired_interval(ours, theirs, confidence=1 - (1 - CONFIDENCE) / picked_of)
        leads[name] = {
            "ndcg@10": difference.mean,
            "ci": [difference.low, difference.high],
            "picked_of": picked_of,
            "worse": wide.high < 0,
        }
    return leads


def best_scorers(artefact: Artefact, options: TrainingOptions) -> dict[str, ScorerConfig]:
    """Return each kind of algorithm with its best scorer on the validation fold."""
    validated = artefact.chosen["validation_ndcg@10"]
    best: dict[str, ScorerConfig] = {}
    scorers = [scorer for algorithm in configured_algorithms(options) for scorer in scorer_configs(algorithm)]
    scorers += [
        scorer
        for name in artefact.fitted
        if name not in ALGORITHMS
        for scorer in content_scorer_configs(name, with_times=True)
    ]
    for scorer in scorers:
        kind = scorer.algorithm.partition("@")[0]
        if scorer.label in validated and (kind not in best or validated[scorer.label] > validated[best[kind].label]):
            best[kind] = scorer
    return best


def _alone(scorer: ScorerConfig, interactions: Interactions, artefact: Artefact, options: TrainingOptions) -> Artefact:
    """Return an artefact with this scorer as the whole blend."""
    fitted = dict(artefact.fitted)
    if scorer.algorithm not in fitted:
        (algorithm,) = (each for each in configured_algorithms(options) if each.name == scorer.algorithm)
        fitted[scorer.algorithm] = algorithm.fit(interactions, options)
    return replace(artefact, fitted=fitted, scorers=(scorer,), weights=np.ones(1), ranker="")
