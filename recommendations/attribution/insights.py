"""The outcome of lists by placement, arm, source and day.

    ctr         = clicks / impressions
    conversion  = conversions / impressions
    coverage    = different items shown / items that may be shown now
    novelty     = mean over the items shown of -log2 p,  p = (events of the item + 1) / (events + items)

over the tenant's newest RECENT_EVENTS positive events: an item that half of them are about counts 1 bit, one of a
thousandth 10. The added 1 lets an item without an event count, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Sum

from accounts.tenancy import scope
from recommendations.attribution.models import PlacementStat
from recommendations.catalog import availability
from recommendations.interactions import event_weights

DIMENSIONS = ("day", "placement", "arm", "source")
RECENT_EVENTS = 100_000
_DIVERSITY = """
    WITH recent AS (
        SELECT item_id FROM recommendations_interaction
        WHERE tenant_id = %(tenant)s AND type_id <> ALL (%(without)s::integer[])
        ORDER BY occurred_at DESC, id DESC LIMIT %(recent)s
    ), popular AS (
        SELECT item_id, count(*) AS events FROM recent GROUP BY item_id
    ), sizes AS (
        SELECT (SELECT count(*) FROM recent)::float AS events, (
            SELECT count(*) FROM recommendations_item
            WHERE tenant_id = %(tenant)s AND {available}
        )::float AS items
    )
    SELECT {dimensions} count(DISTINCT s.item_id) / nullif(max(sizes.items), 0),
        sum(s.shown * -log(2, ((coalesce(popular.events, 0) + 1) / greatest(sizes.events + sizes.items, 1))::numeric))
            / sum(s.shown)
    FROM recommendations_itemstat AS s CROSS JOIN sizes
    LEFT JOIN popular ON popular.item_id = s.item_id
    WHERE s.tenant_id = %(tenant)s AND s.day BETWEEN %(since)s AND %(until)s
        AND (%(placement)s::text IS NULL OR s.placement = %(placement)s)
    {grouping}
"""


@dataclass(frozen=True, slots=True)
class Insight:
    """One group's counts and ratios; None for a dimension that was not asked for, and for a ratio of nothing."""

    day: date | None
    placement: str | None
    arm: str | None
    source: str | None
    impressions: int
    items_shown: int
    clicks: int
    conversions: int
    coverage: float | None
    novelty: float | None

    @property
    def ctr(self) -> float | None:
        """Clicks per impression."""
        return self.clicks / self.impressions if self.impressions else None

    @property
    def conversion(self) -> float | None:
        """Conversions per impression."""
        return self.conversions / self.impressions if self.impressions else None

    @property
    def key(self) -> tuple[str, ...]:
        """The sort key of the group."""
        return tuple("" if value is None else str(value) for value in (self.day, self.placement, self.arm, self.source))


def placements(
    *,
    tenant_id: int,
    since: date,
    until: date,
    now: datetime,
    by: Sequence[str] = DIMENSIONS,
    placement: str | None = None,
) -> list[Insight]:
    """The groups from day to day, both included, in the order of their keys. `by` are some of DIMENSIONS.

    Coverage is relative to the items that are available `now`.
    """
    dimensions = [name for name in DIMENSIONS if name in by]
    with scope.tenant(tenant_id):
        stats = PlacementStat.objects.filter(tenant_id=tenant_id, day__range=(since, until)).order_by()
        if placement is not None:
            stats = stats.filter(placement=placement)
        sums: dict[str, Any] = {
            name: Sum(name, default=0) for name in ("impressions", "items_shown", "clicks", "conversions")
        }
        if dimensions:
            counted: list[dict[str, Any]] = list(stats.values(*dimensions).annotate(**sums))
        else:
            counted = [stats.aggregate(**sums)] if stats.exists() else []
        diversity = _diversity(tenant_id, dimensions, since, until, placement, now)
    rows = []
    for row in counted:
        coverage, novelty = diversity.get(tuple(row[name] for name in dimensions), (None, None))
        own: dict[str, Any] = {name: row.get(name) for name in (*DIMENSIONS, *sums)}
        rows.append(Insight(**own, coverage=coverage, novelty=novelty))
    return sorted(rows, key=lambda row: row.key)


def _diversity(
    tenant_id: int, dimensions: Sequence[str], since: date, until: date, placement: str | None, now: datetime
) -> dict[tuple[Any, ...], tuple[float | None, float | None]]:
    columns = ", ".join(f"s.{name}" for name in dimensions)
    statement = _DIVERSITY.format(
        available=availability.available_sql(),
        dimensions=f"{columns}," if columns else "",
        grouping=f"GROUP BY {columns}" if columns else "",
    )
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "without": event_weights.load_event_weights(tenant_id=tenant_id).never_positive,
        "recent": RECENT_EVENTS,
        "since": since,
        "until": until,
        "placement": placement,
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return {
            tuple(row[:-2]): (_rounded(row[-2]), _rounded(row[-1])) for row in cursor.fetchall() if row[-1] is not None
        }


def _rounded(value: Any) -> float | None:
    return None if value is None else round(float(value), 4)
