"""Finds events of a batch that are stored already, and those that reuse the id of another event of the same user.

Of locked users (`id_resolution.resolve_ids`), no one else stores events at the same time. Imports lock no users; they
look again at the events that others stored meanwhile (`find_reused`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

from django.db import connection

from core.errors import FieldError, ServiceError
from recommendations.catalog.batch_results import RowResult
from recommendations.erasures import merged_ids
from recommendations.interactions import identity
from recommendations.interactions.arrays import array
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
    FROM recommendations_interaction WHERE tenant_id = %s AND digest = ANY (%s::uuid[])
"""
_COUNT = "SELECT count(*) FROM recommendations_interaction WHERE tenant_id = %s AND digest = ANY (%s::uuid[])"


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
class _Merges:
    """Users merged into others: the other ids of a user's events, and the primary keys whose events those are."""

    users: Mapping[str, Mapping[int, str]]
    sender: Sender

    def older_digests(self, event: Event) -> tuple[str, ...]:
        """Digests from before a merge, or before event ids were scoped to users."""
        merged = self._of(event).values()
        of_merged = (identity.digest(event, sender=self.sender, user_id=user_id) for user_id in merged)
        return (*of_merged, identity.older_digest(event))

    def owners(self, event: Event, ids: ResolvedIds) -> frozenset[int]:
        """The users whose stored events under an older digest may be this one."""
        return frozenset({ids.users[event.user_id], *self._of(event)})

    def _of(self, event: Event) -> Mapping[int, str]:
        return self.users.get(event.user_id, {}) if event.event_id is not None else {}


def deduplicate(
    *, tenant_id: int, events: Mapping[int, Event], sender: Sender, ids: ResolvedIds, types: Mapping[str, int]
) -> Deduplicated:
    """Separates new events, duplicates and reused ids; of equal events in the batch the first is the new one.

    Under its current digest an event is either a duplicate or reuses an id. Under an older digest (from before a merge,
    or from before event ids were scoped to users) it is a duplicate if its content is the same, otherwise a new event.
    """
    with_ids = {event.user_id for event in events.values() if event.event_id is not None}
    merges = _Merges(merged_ids.find_merged_users(tenant_id=tenant_id, user_ids=with_ids), sender)
    current = {position: identity.digest(event, sender=sender) for position, event in events.items()}
    older = {position: merges.older_digests(event) for position, event in events.items()}
    known = _stored_events(tenant_id, chain(current.values(), chain.from_iterable(older.values())))
    digests: dict[int, str] = {}
    results: dict[int, RowResult] = {}
    first: dict[str, int] = {}
    for position, event in events.items():
        digest = current[position]
        if not known and first.setdefault(digest, position) == position:
            digests[position] = digest  # nothing of the batch is stored: the usual case
            continue
        incoming = _incoming(event, ids, types)
        is_same = partial(_is_same, event, incoming)
        stored = known.get(digest)
        if stored is None and (before := first.setdefault(digest, position)) != position:
            stored = _incoming(events[before], ids, types)
        if stored is not None:
            results[position] = _duplicate(event, stored) if is_same(stored) else _reused(event)
            continue
        found = (known[each] for each in older[position] if each in known)
        owners = merges.owners(event, ids)
        repeated = next((stored for stored in found if stored.user in owners and is_same(stored)), None)
        if repeated is not None:
            results[position] = _duplicate(event, repeated)
            del first[digest]
            continue
        digests[position] = digest
    return Deduplicated(digests, results)


def find_reused(
    *, tenant_id: int, events: Mapping[str, Event], ids: ResolvedIds, types: Mapping[str, int]
) -> dict[str, RowResult]:
    """The results of events (by digest) that others stored between the look and the insert: duplicates or reused ids.

    Needed where the users are not locked.
    """
    stored = _stored_events(tenant_id, events)
    return {
        digest: _duplicate(event, stored[digest])
        if _is_same(event, _incoming(event, ids, types), stored[digest])
        else _reused(event)
        for digest, event in events.items()
        if digest in stored
    }


def is_any_stored(*, tenant_id: int, digests: Iterable[str]) -> bool:
    """True if an event with one of the digests is stored."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [tenant_id, array(digests)])
        return bool(cursor.fetchone()[0])


def _stored_events(tenant_id: int, digests: Iterable[str]) -> dict[str, _KnownEvent]:
    wanted = array(digests)
    if wanted == "{}":
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [tenant_id, wanted])
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
