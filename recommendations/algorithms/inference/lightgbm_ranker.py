"""The second stage: gradient-boosted trees rerank the blend's best candidates.

LambdaRank (Burges 2010) by LightGBM over the scores of each scorer and of the blend, the rank in the blend, the item's
popularity and the size of the history, trained on the fold that chose the blend's weights. Its score and the blend's
are averaged, each standardised over the user's candidates: neither alone is as good.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import Array

# The number of candidates that are reranked.
CANDIDATES = 150
PACKAGE = "lightgbm"
# More rounds of smaller steps, or finer bins, are not better on the fold, and take four times as long.
_ROUNDS = 40
_PARAMETERS = {
    "objective": "lambdarank",
    "lambdarank_truncation_level": 20,
    "learning_rate": 0.1,
    "num_leaves": 15,
    "max_bin": 63,
    "min_data_in_leaf": 50,
    "lambda_l2": 5.0,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


class UnreadableRanker(ValueError):
    """The text is not a model that the installed package reads; train again."""


def is_usable() -> bool:
    """Return whether the package of the second stage and the shared library that it links against can be loaded."""
    try:
        importlib.import_module(PACKAGE)
    except (ImportError, OSError):
        return False
    return True


@dataclass(frozen=True, eq=False)
class RankerInput:
    """One user's candidates in the blend's order: (candidates, scorers) standardised scores, and (candidates,) each."""

    scorer_scores: Array
    blended: Array
    popularity: Array
    history_size: int


class Ranker:
    """A trained second stage. `text` is LightGBM's own format, which holds no code. Threads may share it."""

    def __init__(self, text: str) -> None:
        """Load the model.

        Raises:
            ImportError, OSError: not is_usable().
            UnreadableRanker: the text is not a model.
        """
        import lightgbm  # noqa: PLC0415  # half a second and 60 MB, only where there is a second stage

        self.text = text
        try:
            self._booster = lightgbm.Booster(model_str=text)
        except (lightgbm.basic.LightGBMError, ValueError) as error:
            raise UnreadableRanker(f"the second stage cannot be read ({error}): train again") from error

    def scores(self, scorer_scores: Array, blended: Array, popularity: Array, history_size: int) -> Array:
        """Return (candidates,) the sum of both stages' standardised scores, for candidates in the blend's order."""
        (found,) = self.scores_of_each([RankerInput(scorer_scores, blended, popularity, history_size)])
        return found

    def scores_of_each(self, users: Sequence[RankerInput]) -> list[Array]:
        """Return `scores` of each user; much faster for many."""
        inputs = [features(user.scorer_scores, user.blended, user.popularity, user.history_size) for user in users]
        own = np.asarray(self._booster.predict(np.concatenate(inputs), num_threads=1))
        parts = np.split(own, np.cumsum([len(each) for each in inputs])[:-1])
        return [_standardised(part) + _standardised(user.blended) for part, user in zip(parts, users, strict=True)]


def features(scorer_scores: Array, blended: Array, popularity: Array, history_size: int) -> Array:
    """Return (candidates, features) of one user, with the candidates in the blend's order."""
    rank = np.arange(len(blended), dtype=np.float64)
    constant = np.full(len(blended), np.log1p(history_size))
    return np.column_stack([scorer_scores, blended, _standardised(blended), rank, np.log1p(popularity), constant])


def fit(users: Sequence[Array], chosen: Sequence[Array], *, seed: int) -> str:
    """Return the text of a model of these users' candidates: their features, and labels of 1 for chosen items.

    One thread: models are so small that several would mostly wait for each other.
    """
    import lightgbm  # noqa: PLC0415

    groups = [len(features) for features in users]
    data = lightgbm.Dataset(np.concatenate(users), label=np.concatenate(chosen), group=groups)
    parameters: dict[str, Any] = {**_PARAMETERS, "seed": seed, "num_threads": 1}
    return str(lightgbm.train(parameters, data, num_boost_round=_ROUNDS).model_to_string())


def order(scores: Array) -> NDArray[np.int64]:
    """Return positions by descending score, equal scores in their given order."""
    return np.argsort(-scores, kind="stable")


def _standardised(values: Array) -> Array:
    return np.asarray((values - values.mean()) / max(1e-12, values.std()))
