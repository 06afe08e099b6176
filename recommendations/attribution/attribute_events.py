"""Events that name a recommendation, joined to what was shown: explicit impressions, clicks, conversions.

A click or conversion counts when the page was shown to that person (to anybody, for lists of no person) before it and
at most the tenant's window ago. Its impression may arrive after it, so one without is tried again, less and less
often, for GRACE; then it is let go. Each event counts once: the count and the end of its note are one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.attribution import recommendation_ids
from recommendations.attribution.daily_counters import Increments, Shown
from recommendations.attribution.metrics import FEEDBACK
from recommendations.attribution.models import PlacementStat
from recommendations.interactions.models import Feedback
from recommendations.list_kinds import SERVED_KINDS
from recommendations.placements.models import Placement

EVENTS_AT_ONCE = 1000
GRACE = timedelta(days=1)
# A client's clock may be behind ours, and may count whole seconds.
SKEW = timedelta(seconds=60)
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 5, 3600
_DUE = """
    SELECT f.id, f.noted_at, f.attempts, i.recommendation_id, i.end_user_id, i.occurred_at, t.name, c.item_id
    FROM recommendations_feedback AS f
    LEFT JOIN recommendations_interaction AS i ON i.id = f.interaction_id AND i.tenant_id = %(tenant)s
    LEFT JOIN recommendations_eventtype AS t ON t.id = i.type_id
    LEFT JOIN recommendations_item AS c ON c.id = i.item_id
    WHERE f.tenant_id = %(tenant)s AND f.due_at <= %(now)s
    ORDER BY f.due_at, f.id LIMIT %(most)s FOR UPDATE OF f SKIP LOCKED
"""
_MATCH = """
    SELECT e.position, p.id, p.recommendation_id, p.end_user_id, p.placement, p.arm, p.source, p.first_at, p.last_at
    FROM unnest(%(positions)s::int[], %(ids)s::text[], %(people)s::bigint[], %(moments)s::timestamptz[])
        AS e (position, recommendation_id, end_user_id, occurred_at)
    CROSS JOIN LATERAL (
        SELECT * FROM recommendations_impression AS p
        WHERE p.tenant_id = %(tenant)s AND p.recommendation_id = e.recommendation_id COLLATE "C"
            AND (p.end_user_id IS NULL OR p.end_user_id = e.end_user_id)
            AND e.occurred_at BETWEEN p.first_at - %(skew)s AND p.last_at + %(window)s
        ORDER BY p.first_at DESC LIMIT 1
    ) AS p
"""


class Event(NamedTuple):
    """A note and its event; the event's fields are None where it was erased."""

    note: int
    noted_at: datetime
    attempts: int
    recommendation_id: str
    end_user_id: int
    occurred_at: datetime
    type: str | None
    item_id: str | None


@dataclass(frozen=True, slots=True)
class Rules:
    """The tenant's settings of attribution."""

    tenant_id: int
    explicit: bool
    window: timedelta
    conversions: frozenset[str]

    def kind(self, event_type: str | None) -> str | None:
        """The count that an event of this type belongs to; None for types that belong to none."""
        if event_type in self.conversions:
            return "conversions"
        return "clicks" if event_type == "click" else None


def attribute(*, now: datetime) -> int:
    """Attribute the due events of all tenants; return the number of events that are finished."""
    with scope.all_tenants("attribution: tenants with events to attribute"):
        due = Feedback.objects.filter(due_at__lte=now).order_by("tenant_id")
        tenants = list(due.values_list("tenant_id", flat=True).distinct())
    return sum(attribute_tenant(tenant_id=tenant_id, now=now) for tenant_id in tenants)


def attribute_tenant(*, tenant_id: int, now: datetime, batches: int = 20) -> int:
    """Attribute one tenant's due events in batches, each a transaction. Concurrent runs take different events."""
    done = 0
    for _ in range(batches):
        with scope.tenant(tenant_id):
            rules = _rules(tenant_id)
            events = _due(tenant_id, now)
            done += _attribute(rules, events, now)
        if len(events) < EVENTS_AT_ONCE:
            break
    return done


def _attribute(rules: Rules, events: Sequence[Event], now: datetime) -> int:
    present = [event for event in events if event.type is not None and event.item_id is not None]
    increments = Increments()
    if rules.explicit:
        _explicit(rules, [event for event in present if event.type == "impression"], increments)
    increments.write(rules.tenant_id)  # before the clicks look for them
    outcomes = [event for event in present if rules.kind(event.type)]
    found = _match(rules, outcomes)
    counts = Increments()
    waiting: list[Event] = []
    for position, event in enumerate(outcomes):
        if (match := found.get(position)) is not None:
            impression, page = match
            kind = rules.kind(event.type) or ""
            counts.outcome(page, kind, event.occurred_at)
            if kind == "clicks":
                counts.click(impression, event.item_id or "")
            FEEDBACK.labels(kind).inc()
        elif event.noted_at > now - GRACE and recommendation_ids.read(event.recommendation_id):
            waiting.append(event)
        else:
            FEEDBACK.labels("unattributed").inc()
    counts.write(rules.tenant_id)
    _postpone(rules.tenant_id, waiting, now)
    later = {event.note for event in waiting}
    finished = [event.note for event in events if event.note not in later]
    Feedback.objects.filter(tenant_id=rules.tenant_id, pk__in=finished).delete()
    return len(finished)


def _explicit(rules: Rules, events: Sequence[Event], increments: Increments) -> None:
    known = _labels(rules.tenant_id) if events else []
    for event in events:
        origin = recommendation_ids.read(event.recommendation_id)
        if origin is None:
            FEEDBACK.labels("unknown_id").inc()
            continue
        placement = recommendation_ids.label_of(origin.placement_code, known) or "@unknown"
        at = event.occurred_at.astimezone(UTC)
        page = Shown(event.recommendation_id, event.end_user_id, placement, origin.arm, origin.source, at, at)
        increments.impression(page, [event.item_id or ""])
        FEEDBACK.labels("impressions").inc()


def _labels(tenant_id: int) -> list[str]:
    """Return the labels of placements that exist, of kinds of lists without one, and of all that were ever counted."""
    counted = PlacementStat.objects.filter(tenant_id=tenant_id).order_by().values_list("placement", flat=True)
    names = Placement.objects.filter(tenant_id=tenant_id).order_by().values_list("name", flat=True)
    kinds = [recommendation_ids.label(None, kind) for kind in SERVED_KINDS]
    return ["home", *names, *kinds, *counted.distinct()]


def _rules(tenant_id: int) -> Rules:
    tenant = Tenant.objects.get(pk=tenant_id)
    return Rules(
        tenant_id=tenant_id,
        explicit=tenant.impressions == Tenant.Impressions.EXPLICIT,
        window=timedelta(hours=tenant.attribution_hours),
        conversions=frozenset(tenant.conversion_types.split()),
    )


def _due(tenant_id: int, now: datetime) -> list[Event]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"tenant": tenant_id, "now": now, "most": EVENTS_AT_ONCE})
        return [Event(*row) for row in cursor.fetchall()]


def _match(rules: Rules, events: Sequence[Event]) -> dict[int, tuple[int, Shown]]:
    """The last page, and its row's number, by the event's place, that each belongs to."""
    if not events:
        return {}
    parameters: dict[str, Any] = {
        "tenant": rules.tenant_id,
        "positions": list(range(len(events))),
        "ids": [event.recommendation_id for event in events],
        "people": [event.end_user_id for event in events],
        "moments": [event.occurred_at for event in events],
        "skew": SKEW,
        "window": rules.window,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MATCH, parameters)
        return {row[0]: (row[1], Shown(*row[2:])) for row in cursor.fetchall()}


def _postpone(tenant_id: int, events: Sequence[Event], now: datetime) -> None:
    for attempts in {event.attempts for event in events}:
        wait = min(FIRST_WAIT_SECONDS * 2 ** min(attempts, 20), LONGEST_WAIT_SECONDS)
        notes = [event.note for event in events if event.attempts == attempts]
        Feedback.objects.filter(tenant_id=tenant_id, pk__in=notes).update(
            due_at=now + timedelta(seconds=wait), attempts=F("attempts") + 1
        )
