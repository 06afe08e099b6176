"""The scorers that a training may put into its blend: each algorithm with each of its half-lives."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recommendations.algorithms.inference.scoring import ScorerConfig
from recommendations.algorithms.models.content import HALF_LIVES
from recommendations.algorithms.models.protocol import Algorithm


def scorer_configs(algorithm: Algorithm, *, with_times: bool = True) -> list[ScorerConfig]:
    """Return every scorer of an algorithm; without times no row of a history is more recent than another."""
    if not algorithm.half_lives:
        return [ScorerConfig(algorithm.name, None)]
    half_lives = algorithm.half_lives if with_times else (np.inf,)
    return [ScorerConfig(algorithm.name, half_life) for half_life in half_lives]


def content_scorer_configs(name: str, *, with_times: bool) -> list[ScorerConfig]:
    """Return every scorer of a content matrix."""
    return [ScorerConfig(name, half_life) for half_life in (HALF_LIVES if with_times else (np.inf,))]


def all_scorer_configs(
    algorithms: Iterable[Algorithm], content: Iterable[str], *, with_times: bool
) -> list[ScorerConfig]:
    """Return the scorers of the algorithms, then those of the content matrices."""
    scorers = [scorer for algorithm in algorithms for scorer in scorer_configs(algorithm, with_times=with_times)]
    return scorers + [scorer for name in content for scorer in content_scorer_configs(name, with_times=with_times)]
