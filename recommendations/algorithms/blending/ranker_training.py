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

from recommendations.algorithms.blending.weights import Choices
from recommendations.algorithms.data.dataset import Array, FloatArray
from recommendations.algorithms.inference import lightgbm_ranker
from recommendations.algorithms.metrics.bootstrap import paired
from recommendations.algorithms.training_options import TrainingOptions

# Fewer people cannot teach it more than the blend knows.
FEWEST_PEOPLE = 500
GROUPS = 4


@dataclass(frozen=True, eq=False)
class SecondStage:
    """What came of it.

    Attributes:
        text: the stage (recommendations.algorithms.inference.lightgbm_ranker), empty for none.
        ndcg: (people,) NDCG@10 of each as judged; the blend's where there is no stage.
        said: why it is there or not, as JSON values.
    """

    text: str
    ndcg: Array
    said: dict[str, Any]

    @classmethod
    def none(cls, why: str = "") -> SecondStage:
        """No stage, and why not where one was asked for."""
        return cls("", np.empty(0), {"used": False, "why": why} if why else {})


@dataclass(frozen=True, eq=False)
class Pupil:
    """One person's best candidates by the blend, and which of them were chosen."""

    said: Array
    blended: Array
    popularity: Array
    known: int
    chosen: Array
    candidates: NDArray[np.int64]

    @property
    def features(self) -> Array:
        """What the stage sees."""
        return lightgbm_ranker.features(self.said, self.blended, self.popularity, self.known)


def learn(
    choices: Choices,
    columns: Sequence[int],
    weights: Array,
    popularity: FloatArray,
    alone: Array,
    options: TrainingOptions,
) -> SecondStage:
    """Judge a second stage over the blend of these columns against the blend `alone` (people,), and teach it."""
    pupils = _pupils(choices, columns, weights, popularity)
    group = np.arange(len(pupils)) % GROUPS
    judged = np.empty(len(pupils))
    for each in range(GROUPS):
        others = [pupil for pupil, own in zip(pupils, group, strict=True) if own != each]
        stage = lightgbm_ranker.Ranker(_taught_by(others, options))
        for place in np.flatnonzero(group == each):
            judged[place] = choices.ndcg_of(int(place), _ranked(stage, pupils[place]))
    lead = paired(judged, alone)
    said = {"lead": round(lead.mean, 6), "lead_95": [round(lead.low, 6), round(lead.high, 6)]}
    difference = judged - alone
    if lead.mean <= difference.std(ddof=1) / np.sqrt(len(difference)):
        return SecondStage("", alone, {"used": False, "why": "not better than the blend by a standard error", **said})
    return SecondStage(_taught_by(pupils, options), judged, {"used": True, **said})


def _pupils(choices: Choices, columns: Sequence[int], weights: Array, popularity: FloatArray) -> list[Pupil]:
    pupils = []
    for start, end, known in zip(choices.starts, choices.ends, choices.known, strict=True):
        said = choices.features[start:end][:, columns]
        blended = said @ weights
        best = np.argsort(-blended, kind="stable")[: lightgbm_ranker.CANDIDATES]
        counts = popularity[choices.items[start:end][best]].astype(np.float64)
        pupils.append(Pupil(said[best], blended[best], counts, known, choices.chosen[start:end][best], best))
    return pupils


def _taught_by(pupils: Sequence[Pupil], options: TrainingOptions) -> str:
    return lightgbm_ranker.fit(
        [pupil.features for pupil in pupils],
        [pupil.chosen for pupil in pupils],
        seed=options.seed,
    )


def _ranked(stage: lightgbm_ranker.Ranker, pupil: Pupil) -> NDArray[np.int64]:
    scores = stage.scores(pupil.said, pupil.blended, pupil.popularity, pupil.known)
    return pupil.candidates[lightgbm_ranker.order(scores)[:10]]
