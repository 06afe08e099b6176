"""Every algorithm that a training may use. A new one is one module and one line here."""

from __future__ import annotations

from types import MappingProxyType

from recommendations.algorithms.co_occurrence import CoOccurrence
from recommendations.algorithms.ease import Ease
from recommendations.algorithms.factors import AlternatingFactors
from recommendations.algorithms.graph_filter import GraphFilter
from recommendations.algorithms.item_item import ItemItem
from recommendations.algorithms.next_item import NextItem
from recommendations.algorithms.past_to_next import PastToNext
from recommendations.algorithms.popularity import Popularity
from recommendations.algorithms.protocol import Algorithm
from recommendations.algorithms.recent_popularity import RecentPopularity

_ALGORITHMS: tuple[Algorithm, ...] = (
    Popularity(),
    *(RecentPopularity(days=days) for days in (2, 7, 21, 60, 365)),
    ItemItem(),
    Ease(),
    NextItem(window=3, half_lives=(1.0, 3.0)),
    NextItem(window=20, half_lives=(2.0, 5.0, 10.0)),
    PastToNext(),
    CoOccurrence(),
    GraphFilter(),
    AlternatingFactors(),
)


def family_of(name: str) -> str:
    """Return what a reason for this algorithm's word is written from; content speaks under its own name."""
    algorithm = ALGORITHMS.get(name)
    return name if algorithm is None else algorithm.family


ALGORITHMS: MappingProxyType[str, Algorithm] = MappingProxyType({a.name: a for a in _ALGORITHMS})
