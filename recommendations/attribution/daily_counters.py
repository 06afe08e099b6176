"""Adding to the counts: one statement a table, its rows in the order of their keys, so that no two writers wait for
each other in a circle. Inside the tenant's scope only."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection

from recommendations.catalog.bulk_load import staged_rows

_IMPRESSIONS = """
    INSERT INTO recommendations_impression
        (tenant_id, recommendation_id, end_user_id, hour, first_at, last_at, placement, arm, source, page, clicked)
    SELECT %(tenant)s, recommendation_id, end_user_id, hour, first_at, last_at, placement, arm, source, page, '{{}}'
    FROM {source} AS r ORDER BY recommendation_id, end_user_id, hour
    ON CONFLICT (tenant_id, recommendation_id, end_user_id, hour) DO UPDATE SET
        first_at = least(recommendations_impression.first_at, excluded.first_at),
        last_at = greatest(recommendations_impression.last_at, excluded.last_at),
        page = coalesce(recommendations_impression.page, excluded.page)
"""
_CLICKED = """
    UPDATE recommendations_impression AS p SET clicked = array_append(p.clicked, r.item)
    FROM {source} AS r
    WHERE p.tenant_id = %(tenant)s AND p.id = r.impression AND p.page IS NOT NULL AND r.item <> ALL (p.clicked)
"""
_PLACEMENTS = """
    INSERT INTO recommendations_placementstat
        (tenant_id, day, placement, arm, source, impressions, items_shown, clicks, conversions)
    SELECT %(tenant)s, day, placement, arm, source, impressions, items_shown, clicks, conversions
    FROM {source} AS r ORDER BY day, placement COLLATE "C", arm COLLATE "C", source COLLATE "C"
    ON CONFLICT (tenant_id, day, placement, arm, source) DO UPDATE SET
        impressions = recommendations_placementstat.impressions + excluded.impressions,
        items_shown = recommendations_placementstat.items_shown + excluded.items_shown,
        clicks = recommendations_placementstat.clicks + excluded.clicks,
        conversions = recommendations_placementstat.conversions + excluded.conversions
"""
_ITEMS = """
    INSERT INTO recommendations_itemstat (tenant_id, day, placement, arm, source, item_id, shown)
    SELECT %(tenant)s, r.day, r.placement, r.arm, r.source, i.id, r.shown
    FROM {source} AS r
    JOIN recommendations_item AS i ON i.tenant_id = %(tenant)s AND i.item_id = r.item
    ORDER BY r.day, r.placement COLLATE "C", r.arm COLLATE "C", r.source COLLATE "C", i.id
    ON CONFLICT (tenant_id, day, placement, arm, source, item_id) DO UPDATE SET
        shown = recommendations_itemstat.shown + excluded.shown
"""
_EXPOSURES = """
    INSERT INTO recommendations_exposure
        (tenant_id, placement, arm, week, end_user_id, first_at, click_at, conversion_at)
    SELECT %(tenant)s, placement, arm, week, end_user_id, first_at, click_at, conversion_at
    FROM {source} AS r ORDER BY placement COLLATE "C", arm COLLATE "C", week, end_user_id
    ON CONFLICT (tenant_id, placement, arm, week, end_user_id) DO UPDATE SET
        first_at = least(recommendations_exposure.first_at, excluded.first_at),
        click_at = least(recommendations_exposure.click_at, excluded.click_at),
        conversion_at = least(recommendations_exposure.conversion_at, excluded.conversion_at)
"""
_KEY = {"day": "date", "placement": "text", "arm": "text", "source": "text"}
_COUNTED = ("impressions", "items_shown", "clicks", "conversions")


class Where(NamedTuple):
    """The key of a counter."""

    day: date
    placement: str
    arm: str
    source: str


class Shown(NamedTuple):
    """A page shown to a person (or to nobody in particular) within one hour; `page` is what is kept of it."""

    recommendation_id: str
    end_user_id: int | None
    placement: str
    arm: str
    source: str
    first_at: datetime
    last_at: datetime
    page: bytes | None = None


@dataclass(slots=True)
class Increments:
    """Increments of all counters, gathered in memory and written at once."""

    shown: list[Shown] = field(default_factory=list)
    counts: dict[Where, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    items: Counter[tuple[Where, str]] = field(default_factory=Counter)
    exposed: dict[tuple[str, str, date, int], list[datetime | None]] = field(default_factory=dict)
    clicked: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def impression(self, page: Shown, item_ids: Sequence[str], *, times: int = 1) -> None:
        """A page, shown so often."""
        where = Where(page.first_at.astimezone(UTC).date(), page.placement, page.arm, page.source)
        self.shown.append(page)
        self.counts[where]["impressions"] += times
        self.counts[where]["items_shown"] += times * len(item_ids)
        for item_id in item_ids:
            self.items[where, item_id] += times
        self._expose(page, [page.first_at, None, None])

    def outcome(self, page: Shown, kind: str, at: datetime) -> None:
        """One of `clicks` or `conversions`, which the page brought at this moment."""
        self.counts[Where(at.astimezone(UTC).date(), page.placement, page.arm, page.source)][kind] += 1
        self._expose(page, [page.first_at, at if kind == "clicks" else None, at if kind == "conversions" else None])

    def click(self, impression: int, item_id: str) -> None:
        """The item was clicked on a page that is stored, and may be kept, under this number."""
        self.clicked[impression].add(item_id)

    def _expose(self, page: Shown, moments: list[datetime | None]) -> None:
        """Only who is compared with others is noted."""
        if not page.arm or page.end_user_id is None:
            return
        day = page.first_at.astimezone(UTC).date()
        key = (page.placement, page.arm, day - timedelta(days=day.weekday()), page.end_user_id)
        before = self.exposed.get(key, moments)
        pairs = zip(before, moments, strict=True)
        self.exposed[key] = [min(filter(None, pair), default=None) for pair in pairs]

    def write(self, tenant_id: int) -> None:
        """Adds all of it, in the open transaction."""
        _execute(_IMPRESSIONS, "impression", _IMPRESSION_COLUMNS, _by_hour(self.shown), tenant_id)
        counted = [[*where, *(count[name] for name in _COUNTED)] for where, count in self.counts.items()]
        _execute(_PLACEMENTS, "placementstat", _KEY | dict.fromkeys(_COUNTED, "bigint"), _plain(counted), tenant_id)
        items = [[*where, item_id, times] for (where, item_id), times in self.items.items()]
        for number in range(max(map(len, self.clicked.values()), default=0)):  # one item of each page at a time
            chosen = ((page, sorted(items)) for page, items in sorted(self.clicked.items()))
            rows = [[page, items[number]] for page, items in chosen if number < len(items)]
            _execute(_CLICKED, "clicked", {"impression": "bigint", "item": "text"}, rows, tenant_id)
        _execute(_ITEMS, "itemstat", _KEY | {"item": "text", "shown": "bigint"}, _plain(items), tenant_id)
        exposed = [
            [placement, arm, week.isoformat(), person, *moments]
            for (placement, arm, week, person), moments in self.exposed.items()
        ]
        _execute(_EXPOSURES, "exposure", _EXPOSURE_COLUMNS, exposed, tenant_id)


_EXPOSURE_COLUMNS = {
    "placement": "text",
    "arm": "text",
    "week": "date",
    "end_user_id": "bigint",
    "first_at": "timestamptz",
    "click_at": "timestamptz",
    "conversion_at": "timestamptz",
}
_IMPRESSION_COLUMNS = {
    "recommendation_id": "text",
    "end_user_id": "bigint",
    "hour": "timestamptz",
    "first_at": "timestamptz",
    "last_at": "timestamptz",
    "placement": "text",
    "arm": "text",
    "source": "text",
    "page": "bytea",
}


def _by_hour(shown: Iterable[Shown]) -> list[list[Any]]:
    """One row for each key: PostgreSQL updates no row twice in one statement."""
    rows: dict[tuple[Any, ...], list[Any]] = {}
    for page in shown:
        hour = page.first_at.replace(minute=0, second=0, microsecond=0)
        key = (page.recommendation_id, page.end_user_id, hour)
        if row := rows.get(key):
            row[3], row[4] = min(row[3], page.first_at), max(row[4], page.last_at)
        else:
            body = None if page.page is None else f"\\x{page.page.hex()}"
            rows[key] = [*key, page.first_at, page.last_at, page.placement, page.arm, page.source, body]
    return list(rows.values())


def _plain(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [[row[0].isoformat(), *row[1:]] for row in rows]


def _execute(
    statement: str, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]], tenant_id: int
) -> None:
    if not rows:
        return
    with staged_rows(name=name, columns=columns, rows=rows) as (source, parameters), connection.cursor() as cursor:
        cursor.execute(statement.format(source=source), {"tenant": tenant_id, **parameters})
