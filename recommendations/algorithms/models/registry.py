"""The algorithms that a training may use. A new one is one module and one line here."""

from __future__ import annotations

from types import MappingProxyType

from recommendations.algorithms.models.als import ALS
from recommendations.algorithms.models.co_occurrence import CoOccurrence
from recommendations.algorithms.models.ease import EASE
from recommendations.algorithms.models.gf_cf import GFCF
from recommendations.algorithms.models.item_knn import ItemKNN
from recommendations.algorithms.models.popularity import Popularity
from recommendations.algorithms.models.protocol import Algorithm
from recommendations.algorithms.models.recent_popularity import RecentPopularity
from recommendations.algorithms.models.sequential_ridge import SequentialRidge
from recommendations.algorithms.models.sequential_rules import SequentialRules

_ALGORITHMS: tuple[Algorithm, ...] = (
    Popularity(),
    *(RecentPopularity(days=days) for days in (2, 7, 21, 60, 365)),
    ItemKNN(),
    EASE(),
    SequentialRules(window=3, half_lives=(1.0, 3.0)),
    SequentialRules(window=20, half_lives=(2.0, 5.0, 10.0)),
    SequentialRidge(),
    CoOccurrence(),
    GFCF(),
    ALS(),
)


def family_of(name: str) -> str:
    """Return the family that explanations of this algorithm are written for; content has its own name."""
    algorithm = ALGORITHMS.get(name)
    return name if algorithm is None else algorithm.family


ALGORITHMS: MappingProxyType[str, Algorithm] = MappingProxyType({a.name: a for a in _ALGORITHMS})
