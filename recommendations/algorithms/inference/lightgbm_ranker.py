"""The second stage: gradient-boosted trees put the blend's best candidates into a new order.

LambdaRank (Burges 2010) by LightGBM over what each read said, how the blend ranked, how popular the item is and how
much is known of the user; taught by the fold that chose the blend's weights. Its score and the blend's are averaged,
each standardised over the user's candidates: neither alone is as good.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.data.dataset import Array

# The blend's best so many are put into a new order.
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
    """The text is not a second stage that the installed package reads; train again."""


def is_usable() -> bool:
    """Whether the package is there that a second stage needs, and the shared library that it links against."""
    try:
        importlib.import_module(PACKAGE)
    except (ImportError, OSError):
        return False
    return True


class Ranker:
    """A trained second stage. `text` is LightGBM's own form of it, which holds no code. Threads may share it."""

    def __init__(self, text: str) -> None:
        """Read the text.

        Raises:
            ImportError, OSError: not is_usable().
            UnreadableRanker: not such a text.
        """
        import lightgbm  # noqa: PLC0415  # half a second and 60 MB, only where there is a second stage

        self.text = text
        try:
            self._booster = lightgbm.Booster(model_str=text)
        except (lightgbm.basic.LightGBMError, ValueError) as error:
            raise UnreadableRanker(f"the second stage cannot be read ({error}): train again") from error

    def scores(self, said: Array, blended: Array, popularity: Array, known: int) -> Array:
        """Return (candidates,) the average of both stages for one user's candidates, in the blend's order."""
        own = self._booster.predict(features(said, blended, popularity, known), num_threads=1)
        return _standardised(np.asarray(own)) + _standardised(blended)


def features(said: Array, blended: Array, popularity: Array, known: int) -> Array:
    """Return (candidates, features) of one user, candidates in the blend's order."""
    place = np.arange(len(blended), dtype=np.float64)
    constant = np.full(len(blended), np.log1p(known))
    return np.column_stack([said, blended, _standardised(blended), place, np.log1p(popularity), constant])


def fit(people: Sequence[Array], chosen: Sequence[Array], *, seed: int) -> str:
    """Return the text of a model of these users' candidates: their features, and 1 where they chose the item.

    Models are small: several threads would spend most of their time on waiting for each other.
    """
    import lightgbm  # noqa: PLC0415

    groups = [len(each) for each in people]
    data = lightgbm.Dataset(np.concatenate(people), label=np.concatenate(chosen), group=groups)
    parameters: dict[str, Any] = {**_PARAMETERS, "seed": seed, "num_threads": 1}
    return str(lightgbm.train(parameters, data, num_boost_round=_ROUNDS).model_to_string())


def order(scores: Array) -> NDArray[np.int64]:
    """Return places by falling score, equal scores as they stood."""
    return np.argsort(-scores, kind="stable")


def _standardised(values: Array) -> Array:
    return np.asarray((values - values.mean()) / max(1e-12, values.std()))
