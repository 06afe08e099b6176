"""Finds events of a batch that are stored already, and those that reuse the id of another event of the same user.

The users are locked (`id_resolution.resolve_ids`), so no one else stores events of theirs at the same time.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection

from core.errors import FieldError, ServiceError
from recommendations.catalog.batch_results import RowResult
from recommendations.erasures import merged_ids
from recommendations.interactions import identity
from recommendations.interactions.event_schema import Event
from recommendations.interactions.id_resolution import ResolvedIds
from recommendations.interactions.identity import Sender


class EventIdReused(ServiceError):
    """The id belongs to another event of the same user."""

    code = "event_id_reused"
    title = "The event_id belongs to another event"


_REUSED = FieldError(
    "/event_id",
    EventIdReused.code,
    "This user already has a different event with this event_id. Give each event its own id, and each line of an order "
    "too (such as order-7-1). Events without event_id are identified by their content.",
)
_STORED = """
    SELECT digest, id, end_user_id, item_id, type_id, value, recommendation_id, context, occurred_at,
        occurred_at <> received_at
    FROM recommendations_interaction WHERE tenant_id = %s AND digest = ANY(%s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class _KnownEvent:
    """An event that is stored, or precedes in the batch: then it has no row yet."""

    row: int | None
    user: int
    item: int
    type: int
    value: float | None
    recommendation_id: str | None
    context: Any
    occurred_at: datetime
    timed: bool


@dataclass(frozen=True, slots=True)
class Deduplicated:
    """Digests of the new events, and results of the others, both by position in the batch."""

    digests: Mapping[int, str]
    results: Mapping[int, RowResult]


@dataclass(frozen=True, slots=True)
class _Digests:
    """Digests under which an event may be stored: its current one, and older ones if they belong to these users."""

    current: str
    older: tuple[str, ...]
    users: frozenset[int]


def deduplicate(
    *, tenant_id: int, events: Mapping[int, Event], sender: Sender, ids: ResolvedIds, types: Mapping[str, int]
) -> Deduplicated:
    """Separates new events, duplicates and reused ids; of equal events in the batch the first is the new one.

    Under its current digest an event is either a duplicate or reuses an id. Under an older digest (from before a merge,
    or from before event ids were scoped to users) it is a duplicate if its content is the same, otherwise a new event.
    """
    candidates = _candidate_digests(tenant_id, events, sender, ids)
    known = _stored_events(
        tenant_id, {digest for each in candidates.values() for digest in (each.current, *each.older)}
    )
    digests: dict[int, str] = {}
    results: dict[int, RowResult] = {}
    for position, event in events.items():
        candidate = candidates[position]
        incoming = _incoming(event, ids, types)
        is_same = partial(_is_same, event, incoming)
        if (stored := known.get(candidate.current)) is not None:
            results[position] = _duplicate(event, stored) if is_same(stored) else _reused(event)
            continue
        older = (known[digest] for digest in candidate.older if digest in known)
        repeated = next((stored for stored in older if stored.user in candidate.users and is_same(stored)), None)
        if repeated is not None:
            results[position] = _duplicate(event, repeated)
            continue
        digests[position] = candidate.current
        known[candidate.current] = incoming
    return Deduplicated(digests, results)


def _candidate_digests(
    tenant_id: int, events: Mapping[int, Event], sender: Sender, ids: ResolvedIds
) -> dict[int, _Digests]:
    users_with_event_ids = {event.user_id for event in events.values() if event.event_id is not None}
    merged = merged_ids.find_merged_users(tenant_id=tenant_id, user_ids=users_with_event_ids)
    digests = {}
    for position, event in events.items():
        merged_into = merged.get(event.user_id, {}) if event.event_id is not None else {}
        of_merged = (identity.digest(event, sender=sender, user_id=user_id) for user_id in merged_into.values())
        digests[position] = _Digests(
            identity.digest(event, sender=sender),
            (*of_merged, identity.older_digest(event)),
            frozenset({ids.users[event.user_id], *merged_into}),
        )
    return digests


def _stored_events(tenant_id: int, digests: Collection[str]) -> dict[str, _KnownEvent]:
    if not digests:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [tenant_id, sorted(digests)])
        return {digest.hex: _from_row(*row) for digest, *row in cursor.fetchall()}


def _from_row(
    row: int,
    user: int,
    item: int,
    type_id: int,
    value: float | None,
    recommendation_id: str | None,
    context: Any,
    *at: Any,
) -> _KnownEvent:
    parsed = json.loads(context) if context else None
    return _KnownEvent(row, user, item, type_id, value, recommendation_id, parsed, *at)


def _incoming(event: Event, ids: ResolvedIds, types: Mapping[str, int]) -> _KnownEvent:
    return _KnownEvent(
        row=None,
        user=ids.users[event.user_id],
        item=ids.items[event.item_id],
        type=types[event.type],
        value=event.value,
        recommendation_id=event.recommendation_id,
        context=event.context,
        occurred_at=event.occurred_at,
        timed=event.timed,
    )


def _is_same(event: Event, incoming: _KnownEvent, other: _KnownEvent) -> bool:
    return (incoming.item, incoming.type) == (other.item, other.type) and identity.is_equal_content(
        event,
        value=other.value,
        recommendation_id=other.recommendation_id,
        context=other.context,
        occurred_at=other.occurred_at,
        timed=other.timed,
    )


def _duplicate(event: Event, stored: _KnownEvent) -> RowResult:
    return RowResult("duplicate", event.event_id, row=stored.row)


def _reused(event: Event) -> RowResult:
    return RowResult("rejected", event.event_id, (_REUSED,))
