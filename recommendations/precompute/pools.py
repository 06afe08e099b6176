"""What may fill anybody's list: popular, trending and newest items, and what is popular in a segment.

The same for everybody at a placement, so each process computes it once for some minutes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import connection

from accounts import scope
from recommendations.ai.explain import explain
from recommendations.cache.form import Entry
from recommendations.interactions import meaning
from recommendations.precompute import popular, showable
from recommendations.precompute.artefacts import Loaded

DEPTH = 300
SEGMENT_DEPTH = 100
FRESH_FOR_SECONDS = 600
# The newest items are asked for more often, and as soon as new ones have been taken in.
LATEST_FOR_SECONDS = 30
_KEPT = 4
_SEGMENTS = """
    WITH newest AS MATERIALIZED (
        SELECT max(occurred_at) AS moment FROM recommendations_interaction WHERE tenant_id = %(tenant)s
    ), counted AS MATERIALIZED (
        SELECT i.end_user_id, i.item_id,
            sum(power(2, -extract(epoch FROM (SELECT moment FROM newest) - i.occurred_at) / 86400.0 / %(half_life)s))
                AS score
        FROM recommendations_interaction AS i
        WHERE i.tenant_id = %(tenant)s AND i.type_id <> ALL (%(without)s::integer[])
          AND i.occurred_at > (SELECT moment FROM newest) - make_interval(days => %(window)s)
        GROUP BY i.end_user_id, i.item_id
    ), summed AS MATERIALIZED (
        SELECT segment, counted.item_id, sum(counted.score) AS score
        FROM counted
        JOIN recommendations_enduser AS p ON p.id = counted.end_user_id AND p.tenant_id + 0 = %(tenant)s
        CROSS JOIN LATERAL unnest(p.segments) AS segment
        GROUP BY segment, counted.item_id
    ), ranked AS (
        SELECT segment, item_id, score,
            row_number() OVER (PARTITION BY segment ORDER BY score DESC, item_id) AS place
        FROM summed
    )
    SELECT ranked.segment, c.item_id, ranked.score
    FROM ranked JOIN recommendations_item AS c ON c.id = ranked.item_id AND c.tenant_id + 0 = %(tenant)s
    WHERE ranked.place <= %(limit)s ORDER BY ranked.segment, ranked.place
"""
_LATEST = """
    SELECT item_id FROM recommendations_item
    WHERE tenant_id = %(tenant)s AND NOT hidden AND deleted_at IS NULL
      AND (available_from IS NULL OR available_from <= %(now)s)
      AND (available_until IS NULL OR available_until > %(now)s)
    ORDER BY created_at DESC, item_id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Pools:
    """Entries by kind, best first, without items that may not be shown."""

    popular: Sequence[Entry] = ()
    trending: Sequence[Entry] = ()
    latest: Sequence[Entry] = ()
    segments: Mapping[str, Sequence[Entry]] = field(default_factory=dict)

    def of_segments(self, names: Sequence[str]) -> Sequence[Entry]:
        """What is popular in the first of these segments that anybody with a history is in."""
        return next((self.segments[name] for name in names if name in self.segments), ())

    def only(self, item_ids: Collection[str]) -> "Pools":
        """What of them is among these items."""

        def kept(entries: Sequence[Entry]) -> list[Entry]:
            return [entry for entry in entries if entry.item_id in item_ids]

        segments = {name: kept(entries) for name, entries in self.segments.items()}
        return Pools(kept(self.popular), kept(self.trending), kept(self.latest), segments)


_held: dict[tuple[int, int, int], Pools] = {}
_newest: dict[tuple[int, int, int], tuple[tuple[int, int], Sequence[Entry]]] = {}


def of(*, tenant_id: int, loaded: Loaded, locale: str, now: datetime) -> Pools:
    """The tenant's pools, at most FRESH_FOR_SECONDS old, and the newest items LATEST_FOR_SECONDS."""
    key = (tenant_id, loaded.artefact_id, int(now.timestamp()) // FRESH_FOR_SECONDS)
    as_of = (loaded.revision, int(now.timestamp()) // LATEST_FOR_SECONDS)
    if key not in _held:
        while len(_held) >= _KEPT:
            _newest.pop(next(iter(_held)), None)
            _held.pop(next(iter(_held)))
        _held[key] = compute(tenant_id=tenant_id, loaded=loaded, locale=locale, now=now)
        _newest[key] = as_of, _held[key].latest
    if _newest[key][0] != as_of:
        with scope.tenant(tenant_id):
            _newest[key] = as_of, _latest(tenant_id, now, locale)
    return replace(_held[key], latest=_newest[key][1])


def forget() -> None:
    """Forgets what the process has computed."""
    _held.clear()
    _newest.clear()


def compute(*, tenant_id: int, loaded: Loaded, locale: str, now: datetime) -> Pools:
    """The pools as they are now."""
    everybody = popular.compute(tenant_id=tenant_id, loaded=loaded, now=now, locale=locale, limit=DEPTH)
    without = meaning.of_tenant(tenant_id=tenant_id).never_positive
    with scope.tenant(tenant_id):
        withheld = set(showable.withheld_ids(tenant_id=tenant_id, now=now))
        newest = _latest(tenant_id, now, locale)
        by_segment = _segments(tenant_id, without, withheld, locale)
    return Pools(
        popular=everybody.entries,
        trending=[entry for entry in everybody.entries if entry.part == "recent_popularity"],
        latest=newest,
        segments=by_segment,
    )


def _latest(tenant_id: int, now: datetime, locale: str) -> list[Entry]:
    said = explain(part="latest", locale=locale)
    return [Entry(item_id, 0.0, said, (), "latest") for item_id in latest(tenant_id=tenant_id, now=now, limit=DEPTH)]


def latest(*, tenant_id: int, now: datetime, limit: int) -> list[str]:
    """The newest items that may be shown. Call it in the tenant's scope."""
    with connection.cursor() as cursor:
        cursor.execute(_LATEST, {"tenant": tenant_id, "now": now, "limit": limit})
        return [item_id for (item_id,) in cursor.fetchall()]


def _segments(tenant_id: int, without: list[int], withheld: set[str], locale: str) -> dict[str, list[Entry]]:
    said = explain(part="popular", locale=locale)
    found: dict[str, list[Entry]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM recommendations_enduser WHERE tenant_id = %s AND segments <> '{}')", [tenant_id]
        )
        if not cursor.fetchone()[0]:
            return {}
        cursor.execute(
            _SEGMENTS,
            {
                "tenant": tenant_id,
                "without": without,
                "half_life": popular.HALF_LIFE_DAYS,
                "window": popular.WINDOW_DAYS,
                "limit": SEGMENT_DEPTH,
            },
        )
        for segment, item_id, score in cursor.fetchall():
            if item_id not in withheld:
                found.setdefault(segment, []).append(Entry(item_id, round(float(score), 6), said, (), "segment"))
    return found
