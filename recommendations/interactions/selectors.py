"""Reads of events, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from accounts.tenancy import scope
from recommendations.interactions.models import EventType, Interaction

Position = tuple[str, ...]
# No index covers types: a page scans at most this many rows, and may be short or empty although more follow.
MAX_SCANNED = 5_000


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Conditions on a list of events; None for no condition."""

    user_id: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Stored events as the API shows them, and the position after them; None at the end of the list."""

    rows: list[dict[str, Any]]
    after: Position | None


def list_events(*, tenant_id: int, conditions: EventFilter, after: Position | None, limit: int) -> EventPage:
    """At most `limit` events after a position."""
    with scope.tenant(tenant_id):
        events = Interaction.objects.filter(tenant_id=tenant_id).order_by("-occurred_at", "-id")
        if conditions.user_id is not None:
            events = events.filter(end_user__tenant_id=tenant_id, end_user__user_id=conditions.user_id)
        events = _after(events, after)
        scan = MAX_SCANNED if conditions.type is not None else limit
        scanned = list(events.values_list("id", "occurred_at", "type_id")[: scan + 1])
        more = len(scanned) > scan
        del scanned[scan:]
        picked = scanned
        if conditions.type is not None:
            types = EventType.objects.filter(tenant_id=tenant_id, name=conditions.type)
            type_ids = set(types.values_list("id", flat=True))
            picked = [row for row in scanned if row[2] in type_ids]
            if len(picked) > limit:
                picked, more = picked[:limit], True
                scanned = picked
        rows = _rows(tenant_id, [row[0] for row in picked])
    last = scanned[-1] if more else None
    return EventPage(rows, (last[1].isoformat(), str(last[0])) if last else None)


def find_event(*, tenant_id: int, pk: int) -> dict[str, Any] | None:
    """The stored event with this primary key, in the form of `EventPage.rows`."""
    with scope.tenant(tenant_id):
        return next(iter(_rows(tenant_id, [pk])), None)


def _after(events: QuerySet[Interaction], after: Position | None) -> QuerySet[Interaction]:
    if after is None:
        return events
    moment, number = datetime.fromisoformat(after[0]), int(after[1])
    later = Q(occurred_at__lt=moment) | Q(occurred_at=moment, id__lt=number)
    return events.filter(later, occurred_at__lte=moment)


def _rows(tenant_id: int, pks: list[int]) -> list[dict[str, Any]]:
    events = Interaction.objects.filter(tenant_id=tenant_id, id__in=pks).select_related("end_user", "item", "type")
    return [
        {
            "id": event.pk,
            "event_id": event.event_id,
            "user_id": event.end_user.user_id,
            "item_id": event.item.item_id,
            "type": event.type.name,
            "value": event.value,
            "occurred_at": event.occurred_at,
            "received_at": event.received_at,
            "recommendation_id": event.recommendation_id,
            "context": event.context,
        }
        for event in events.order_by("-occurred_at", "-id")
    ]
