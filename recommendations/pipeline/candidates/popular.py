"""The list for everybody: what is chosen most, the more recently the more.

score(i) = recent(i) + PRIOR * share(i): recent(i) sums 2 ** (-age / half-life) over the people who chose the item in
the last window, and share(i) is the item's share of all choices that the artefact counted. Whoever chose an item often
counts once, with the latest time: a robot weighs as much as anybody. A few recent choices do not overturn what many
have chosen (a Dirichlet prior: Zhai and Lafferty, "A Study of Smoothing Methods", SIGIR 2001). Age counts from
`interactions.moments.as_of`, so that data that ended long ago has a list too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from accounts.tenancy import scope
from recommendations.algorithms.models.protocol import ItemVector
from recommendations.cache.list_codec import MAX_ITEMS, Entry, Provenance
from recommendations.catalog import availability
from recommendations.explanations.templates import explain
from recommendations.interactions import event_weights, reference_time
from recommendations.list_kinds import POPULAR
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists import entries as lists
from recommendations.pipeline.lists import item_facts
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.models import Build, ReferenceList

HALF_LIFE_DAYS = 30
WINDOW_DAYS = 4 * HALF_LIFE_DAYS
PRIOR = 1000.0
_CANDIDATES = 1000
# An event that says it lies ahead happened when it arrived, at the latest; what is newer than `as_of` has no age.
HAPPENED = "least(i.occurred_at, i.received_at)"
AGE_DAYS = "(greatest(extract(epoch FROM %(as_of)s - {happened}), 0) / 86400.0)"
# Rows are counted by their narrow key before any name is looked up. Each step is MATERIALIZED: right after an import
# the planner's statistics are old, and a join of 100,000 rows planned for ten of them took minutes.
_RECENT = f"""
    WITH pairs AS MATERIALIZED (
        SELECT i.item_id, max({HAPPENED}) AS happened
        FROM recommendations_interaction AS i
        WHERE i.tenant_id = %(tenant)s
          AND i.occurred_at > %(as_of)s - make_interval(days => %(window)s)
          AND {HAPPENED} > %(as_of)s - make_interval(days => %(window)s)
          AND i.type_id <> ALL (%(without)s::integer[])
          AND i.received_at <= %(now)s
        GROUP BY i.item_id, i.end_user_id
    ), counted AS MATERIALIZED (
        SELECT item_id, sum(power(2, -{AGE_DAYS.format(happened="happened")} / %(half_life)s)) AS score
        FROM pairs GROUP BY item_id
    ), best AS MATERIALIZED (
        SELECT item_id, score FROM counted ORDER BY score DESC, item_id LIMIT %(limit)s
    )
    SELECT c.item_id, best.score
    FROM best JOIN recommendations_item AS c ON c.id = best.item_id AND c.tenant_id + 0 = %(tenant)s
"""  # noqa: S608  # constants only


@dataclass(frozen=True, slots=True)
class Popular:
    """The list's entries, best first, and the facts that its stored form needs."""

    entries: tuple[Entry, ...]
    facts: Mapping[str, ItemFacts]
    locale: str

    def body(self, provenance: Provenance) -> bytes:
        """The stored form."""
        return lists.body(owner="", entries=self.entries, facts=self.facts, provenance=provenance, locale=self.locale)


def compute(*, tenant_id: int, loaded: Loaded, now: datetime, locale: str, limit: int = MAX_ITEMS) -> Popular:
    """The tenant's popular list at this moment, from what had arrived by then, without items that may not be shown."""
    without = event_weights.load_event_weights(tenant_id=tenant_id).never_positive
    with scope.tenant(tenant_id):
        recent = _recent(tenant_id, without, now)
        withheld = set(availability.withdrawn_ids(tenant_id=tenant_id, now=now))
        counts = loaded.recommender.artefact.fitted["popularity"]
        assert isinstance(counts, ItemVector)
        total = max(1.0, float(counts.values.sum()))
        ever = loaded.recommender.popular_items(_CANDIDATES)
        known = {
            item_id: PRIOR * float(counts.values[place]) / total
            for item_id in {*recent, *(loaded.item_ids[each] for each in ever.items.tolist())}
            if (place := loaded.index(item_id)) is not None
        }
        scores = {
            item_id: recent.get(item_id, 0.0) + known.get(item_id, 0.0)
            for item_id in recent.keys() | known.keys()
            if item_id not in withheld
        }
        best = sorted(scores, key=lambda item_id: (-scores[item_id], item_id))[:limit]
        facts = item_facts.facts(tenant_id=tenant_id, item_ids=best)
    entries = []
    for item_id in best:
        if item_id in facts:
            part = "recent_popularity" if recent.get(item_id, 0.0) > known.get(item_id, 0.0) else "popularity"
            entries.append(Entry(item_id, round(scores[item_id], 6), explain(part=part, locale=locale), (), part))
    return Popular(tuple(entries), facts, locale)


def make_lists(*, build: Build, loaded: Loaded, version: int, now: datetime, locale: str) -> list[ReferenceList]:
    """Make the popular list of all time, not saved yet."""
    made = compute(tenant_id=build.tenant_id, loaded=loaded, now=now, locale=locale)
    body = made.body(Provenance(build.pk, version, lists.POPULAR, lists.stamp(now), build.artefact_id))
    return [ReferenceList(tenant_id=build.tenant_id, build=build, kind=POPULAR.key, body=body, generated_at=now)]


def _recent(tenant_id: int, without: list[int], now: datetime) -> dict[str, float]:
    as_of = reference_time.as_of(tenant_id=tenant_id, now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            _RECENT,
            {
                "tenant": tenant_id,
                "now": now,
                "as_of": as_of,
                "half_life": HALF_LIFE_DAYS,
                "window": WINDOW_DAYS,
                "without": without,
                "limit": _CANDIDATES,
            },
        )
        return {item_id: float(score) for item_id, score in cursor.fetchall()}
