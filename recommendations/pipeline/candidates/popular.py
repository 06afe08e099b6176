"""The popular list of all time: most chosen items, with recent choices counting more.

score(i) = recent(i) + PRIOR * share(i): recent(i) sums 2 ** (-age / half-life) over the users that chose the item in
the last window, and share(i) is the item's share of all choices that the artefact counted. Each user counts once an
item, so that a bot weighs no more than anyone. A few recent choices do not overturn a large majority (a Dirichlet
prior: Zhai and Lafferty, "A Study of Smoothing Methods", SIGIR 2001).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from accounts.tenancy import scope
from recommendations.algorithms.models.protocol import ItemVector
from recommendations.cache.list_codec import MAX_ITEMS, Entry
from recommendations.catalog import availability
from recommendations.list_kinds import POPULAR as POPULAR_KIND
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.candidates import decayed_counts
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.lists.entries import POPULAR, cached_reason
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.lists.reference_lists import reference_list
from recommendations.pipeline.models import Build, ReferenceList

HALF_LIFE_DAYS = 30
WINDOW_DAYS = 4 * HALF_LIFE_DAYS
PRIOR = 1000.0
_CANDIDATES = 1000
_RECENT = f"""
    WITH pairs AS MATERIALIZED ({decayed_counts.UNWEIGHTED_PAIRS}),
    counted AS MATERIALIZED (SELECT item_id, sum(score) AS score FROM pairs GROUP BY item_id),
    best AS MATERIALIZED (SELECT item_id, score FROM counted ORDER BY score DESC, item_id LIMIT %(limit)s)
    SELECT c.item_id, best.score
    FROM best JOIN recommendations_item AS c ON c.id = best.item_id AND c.tenant_id + 0 = %(tenant)s
"""  # noqa: S608  # constants only


@dataclass(frozen=True, slots=True)
class PopularItems:
    """Entries, best first, and the facts that their stored form needs."""

    entries: tuple[Entry, ...]
    facts: Mapping[str, ItemFacts]


def popular_items(
    *, tenant_id: int, loaded: Loaded, now: datetime, locale: str, limit: int = MAX_ITEMS
) -> PopularItems:
    """The tenant's popular available items at `now`, from the events that had arrived by then."""
    with scope.tenant(tenant_id):
        recent = _recent_scores(tenant_id, now)
        withdrawn = set(availability.withdrawn_ids(tenant_id=tenant_id, now=now))
        prior = _prior_scores(loaded, recent)
        scores = {
            item_id: recent.get(item_id, 0.0) + prior.get(item_id, 0.0)
            for item_id in recent.keys() | prior.keys()
            if item_id not in withdrawn
        }
        best = sorted(scores, key=lambda item_id: (-scores[item_id], item_id))[:limit]
        facts = item_facts.load_facts(tenant_id=tenant_id, item_ids=best)
    entries = []
    for item_id in best:
        if item_id in facts:
            part = "recent_popularity" if recent.get(item_id, 0.0) > prior.get(item_id, 0.0) else "popularity"
            entries.append(Entry(item_id, round(scores[item_id], 6), cached_reason(part, (), locale), (), part))
    return PopularItems(tuple(entries), facts)


def make_lists(*, build: Build, loaded: Loaded, version: int, now: datetime, locale: str) -> list[ReferenceList]:
    """Makes the popular list of all time, not saved yet."""
    popular = popular_items(tenant_id=build.tenant_id, loaded=loaded, now=now, locale=locale)
    row = reference_list(
        POPULAR_KIND,
        build=build,
        entries=popular.entries,
        facts=popular.facts,
        source=POPULAR,
        now=now,
        locale=locale,
        version=version,
    )
    return [row]


def _recent_scores(tenant_id: int, now: datetime) -> dict[str, float]:
    parameters = decayed_counts.parameters(
        tenant_id=tenant_id, now=now, half_life_days=HALF_LIFE_DAYS, window_days=WINDOW_DAYS
    )
    with connection.cursor() as cursor:
        cursor.execute(_RECENT, {**parameters, "limit": _CANDIDATES})
        return {item_id: float(score) for item_id, score in cursor.fetchall()}


def _prior_scores(loaded: Loaded, recent: Mapping[str, float]) -> dict[str, float]:
    """PRIOR * share(i) of the recent items and the most chosen ones of all time."""
    counts = loaded.recommender.artefact.fitted["popularity"]
    assert isinstance(counts, ItemVector)
    total = max(1.0, float(counts.values.sum()))
    most_chosen = (loaded.item_ids[index] for index in loaded.recommender.popular_items(_CANDIDATES).items.tolist())
    return {
        item_id: PRIOR * float(counts.values[index]) / total
        for item_id in {*recent, *most_chosen}
        if (index := loaded.trained_index(item_id)) is not None
    }
