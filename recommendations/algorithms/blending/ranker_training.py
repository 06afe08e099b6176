"""Trains a second stage, keeps it only if it wins on held-out users, then refits it on all users.

The fold's users are dealt into groups; each group is ranked by a stage trained on the others (cross-fitting,
Stone 1974). The stage is kept where its mean NDCG@10 exceeds the blend's by a standard error of the difference within
users: a wrong yes and a wrong no cost the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.blending.weights import CandidateSets
from recommendations.algorithms.data.dataset import Array, FloatArray
from recommendations.algorithms.inference import lightgbm_ranker
from recommendations.algorithms.metrics.bootstrap import paired_interval
from recommendations.algorithms.training_options import TrainingOptions

# Fewer users cannot teach the stage more than the blend knows.
MIN_USERS = 500
GROUPS = 4


@dataclass(frozen=True, eq=False)
class SecondStage:
    """A trained second stage, or the reason why there is none.

    Attributes:
        text: the model (`lightgbm_ranker`), empty for none.
        ndcg: (users,) cross-fitted NDCG@10; the blend's where there is no stage.
        report: JSON values for the artefact.
    """

    text: str
    ndcg: Array
    report: dict[str, Any]

    @classmethod
    def none(cls, why: str = "") -> SecondStage:
        """Return no stage, with the reason where one was asked for."""
        return cls("", np.empty(0), {"used": False, "why": why} if why else {})


@dataclass(frozen=True, eq=False)
class TrainingExample:
    """One user's best candidates by the blend, with the labels."""

    scores: Array
    blended: Array
    popularity: Array
    history_size: int
    chosen: Array
    candidates: NDArray[np.int64]

    @property
    def features(self) -> Array:
        """Return the model's input."""
        return lightgbm_ranker.features(self.scores, self.blended, self.popularity, self.history_size)


def train_ranker(
    sets: CandidateSets,
    columns: Sequence[int],
    weights: Array,
    popularity: FloatArray,
    blend_ndcg: Array,
    options: TrainingOptions,
) -> SecondStage:
    """Train a second stage over the blend of these columns, and compare it with `blend_ndcg` (users,)."""
    examples = _examples(sets, columns, weights, popularity)
    groups = np.arange(len(examples)) % GROUPS
    ndcg = np.empty(len(examples))
    for group in range(GROUPS):
        others = [example for example, own in zip(examples, groups, strict=True) if own != group]
        ranker = lightgbm_ranker.Ranker(_fit(others, options))
        for place in np.flatnonzero(groups == group):
            ndcg[place] = sets.ndcg_of_user(int(place), _rank(ranker, examples[place]))
    lead = paired_interval(ndcg, blend_ndcg)
    report = {"lead": round(lead.mean, 6), "lead_95": [round(lead.low, 6), round(lead.high, 6)]}
    difference = ndcg - blend_ndcg
    if lead.mean <= difference.std(ddof=1) / np.sqrt(len(difference)):
        why = "not better than the blend by a standard error"
        return SecondStage("", blend_ndcg, {"used": False, "why": why, **report})
    return SecondStage(_fit(examples, options), ndcg, {"used": True, **report})


def _examples(
    sets: CandidateSets, columns: Sequence[int], weights: Array, popularity: FloatArray
) -> list[TrainingExample]:
    examples = []
    for start, end, history_size in zip(sets.starts, sets.ends, sets.history_sizes, strict=True):
        scores = sets.features[start:end][:, columns]
        blended = scores @ weights
        best = np.argsort(-blended, kind="stable")[: lightgbm_ranker.CANDIDATES]
        counts = popularity[sets.items[start:end][best]].astype(np.float64)
        labels = sets.chosen[start:end][best]
        examples.append(TrainingExample(scores[best], blended[best], counts, history_size, labels, best))
    return examples


def _fit(examples: Sequence[TrainingExample], options: TrainingOptions) -> str:
    return lightgbm_ranker.fit(
        [example.features for example in examples],
        [example.chosen for example in examples],
        seed=options.seed,
    )


def _rank(ranker: lightgbm_ranker.Ranker, example: TrainingExample) -> NDArray[np.int64]:
    scores = ranker.scores(example.scores, example.blended, example.popularity, example.history_size)
    return example.candidates[lightgbm_ranker.order(scores)[:10]]
