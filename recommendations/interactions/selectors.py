"""Reading events, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from accounts.tenancy import scope
from recommendations.interactions.models import EventType, Interaction

Position = tuple[str, ...]
# No index knows types. A page looks at so many rows at most and may hold fewer than asked for, or none, and go on.
MAX_SCANNED = 5_000


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events a list holds; None leaves a condition out."""

    user_id: str | None = None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Stored events as the API shows them, and where the list goes on; None at its end."""

    rows: list[dict[str, Any]]
    after: Position | None


def list_events(*, tenant_id: int, wanted: EventFilter, after: Position | None, limit: int) -> EventPage:
    """At most `limit` events behind `after`."""
    with scope.tenant(tenant_id):
        events = Interaction.objects.filter(tenant_id=tenant_id).order_by("-occurred_at", "-id")
        if wanted.user_id is not None:
            events = events.filter(end_user__tenant_id=tenant_id, end_user__user_id=wanted.user_id)
        events = _behind(events, after)
        scan = MAX_SCANNED if wanted.type is not None else limit
        scanned = list(events.values_list("id", "occurred_at", "type_id")[: scan + 1])
        more = len(scanned) > scan
        del scanned[scan:]
        picked = scanned
        if wanted.type is not None:
            numbers = set(EventType.objects.filter(tenant_id=tenant_id, name=wanted.type).values_list("id", flat=True))
            picked = [row for row in scanned if row[2] in numbers]
            if len(picked) > limit:
                picked, more = picked[:limit], True
                scanned = picked
        rows = _rows(tenant_id, [row[0] for row in picked])
    last = scanned[-1] if more else None
    return EventPage(rows, (last[1].isoformat(), str(last[0])) if last else None)


def find_event(*, tenant_id: int, row: int) -> dict[str, Any] | None:
    """The stored event with this primary key, in the form of a page's rows."""
    with scope.tenant(tenant_id):
        return next(iter(_rows(tenant_id, [row])), None)


def _behind(events: QuerySet[Interaction], after: Position | None) -> QuerySet[Interaction]:
    if after is None:
        return events
    moment, number = datetime.fromisoformat(after[0]), int(after[1])
    behind = Q(occurred_at__lt=moment) | Q(occurred_at=moment, id__lt=number)
    return events.filter(behind, occurred_at__lte=moment)


def _rows(tenant_id: int, numbers: list[int]) -> list[dict[str, Any]]:
    events = Interaction.objects.filter(tenant_id=tenant_id, id__in=numbers).select_related("end_user", "item", "type")
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
