"""A batch of events in two round trips: the usual one is of known users, items and types, and mostly new.

Unknown names are resolved in further ones. Equal events within the batch, names that may not be created, users with
former ids, and events from before event ids were scoped to users take the general way (`ingest.record_events`), in the
same transaction. Nothing is remembered between requests, so no erased user or deleted item can come back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.tenancy import tenant_cache
from recommendations.catalog.batch_results import RowResult
from recommendations.erasures import merged_ids
from recommendations.interactions import event_weights, id_resolution, identity, ingest, triggers
from recommendations.interactions.arrays import array, text_array
from recommendations.interactions.event_schema import Event
from recommendations.interactions.id_resolution import ResolvedIds
from recommendations.interactions.identity import Sender
from recommendations.interactions.writing import deduplication
from recommendations.interactions.writing.bulk_insert import json_text

# Known users are locked in the order of their keys, as `id_resolution` does it. Where users or items have to be
# created, the locks are given back first: new rows come before locks.
_SAVEPOINT, _GIVE_BACK = "SAVEPOINT looked", "ROLLBACK TO SAVEPOINT looked"
_USERS = """
    SELECT user_id, id, dirty_at IS NULL FROM recommendations_enduser
    WHERE tenant_id = %(tenant)s AND user_id = ANY (%(users)s::text[]) ORDER BY id FOR NO KEY UPDATE
"""
_ITEMS = """
    SELECT item_id, id FROM recommendations_item
    WHERE tenant_id = %(tenant)s AND item_id = ANY (%(items)s::text[]) AND (%(create)s OR deleted_at IS NULL)
"""
_TYPES = "SELECT name, id FROM recommendations_eventtype WHERE tenant_id = %(tenant)s"
_OLDER = """
    SELECT (SELECT count(*) FROM recommendations_interaction
            WHERE tenant_id = %(tenant)s AND digest = ANY (%(older)s::uuid[])),
        EXISTS (SELECT 1 FROM recommendations_formerid WHERE tenant_id = %(tenant)s)
"""
# Ids are assigned in the order of the arrays, which breaks ties in time; rows are written in the order of their
# digests, so that two batches cannot deadlock. The result is null if all events are new.
_STORE = """
    WITH given AS MATERIALIZED (
        SELECT nextval('recommendations_interaction_id_seq'::regclass) AS id, r.* FROM unnest(
            %(occurred)s::timestamptz[], %(users)s::bigint[], %(items)s::bigint[], %(digests)s::uuid[],
            %(types)s::integer[], %(values)s::double precision[], %(event_ids)s::text[], %(recommendations)s::text[],
            %(contexts)s::jsonb[]
        ) AS r (occurred_at, end_user_id, item_id, digest, type_id, value, event_id, recommendation_id, context)
    ), inserted AS (
        INSERT INTO recommendations_interaction (
            id, tenant_id, received_at, occurred_at, end_user_id, item_id, digest, type_id, value,
            event_id, recommendation_id, context
        )
        SELECT id, %(tenant)s, %(now)s, occurred_at, end_user_id, item_id, digest, type_id, value,
            event_id, recommendation_id, context
        FROM given ORDER BY digest
        ON CONFLICT (tenant_id, digest) DO NOTHING
        RETURNING id, digest, end_user_id, recommendation_id
    ), queued AS (
        INSERT INTO recommendations_feedback (tenant_id, interaction_id, noted_at, due_at, attempts)
        SELECT %(tenant)s, id, %(now)s, %(now)s, 0 FROM inserted WHERE recommendation_id IS NOT NULL
    ), marked AS (
        UPDATE recommendations_enduser
        SET last_event_at = greatest(last_event_at, %(now)s), dirty_at = coalesce(dirty_at, %(now)s)
        WHERE tenant_id = %(tenant)s AND id IN (SELECT end_user_id FROM inserted)
    )
    SELECT CASE WHEN (SELECT count(*) FROM inserted) < %(count)s THEN ARRAY(
        SELECT digest FROM given WHERE NOT EXISTS (SELECT 1 FROM inserted WHERE inserted.digest = given.digest)
    ) END
"""


class BatchWrite:
    """The storing of a batch that was read at `now`. `look` may be sent with what opens the transaction."""

    def __init__(self, *, tenant_id: int, events: Sequence[Event], now: datetime, sender: Sender) -> None:
        self._tenant_id, self._events, self._now, self._sender = tenant_id, events, now, sender
        self._users = {event.user_id for event in events}
        self._items = {event.item_id for event in events}
        self._digests = [identity.digest(event, sender=sender) for event in events]
        self._looked: list[Any] = []

    def look(self) -> None:
        """Looks the names up, and locks the users."""
        if not self._events or len(set(self._digests)) < len(self._digests):
            return
        parameters = {
            "tenant": self._tenant_id,
            "users": text_array([*self._users]),
            "items": text_array([*self._items]),
            "create": self._creates,
        }
        with connection.cursor() as cursor:
            cursor.execute(_SAVEPOINT)
        self._looked = [self._sent(statement, parameters) for statement in (_USERS, _ITEMS, _TYPES)]
        self._looked.append(self._sent(_OLDER, self._older))

    def store(self) -> list[RowResult]:
        """Stores the events, as `ingest.record_events` does. Call it in the tenant's scope, after `look`.

        Raises: Conflict if users are being erased.
        """
        found = self._found() if self._looked else None
        if found is not None:
            return self._insert(*found)
        return ingest.record_events(tenant_id=self._tenant_id, events=self._events, now=self._now, sender=self._sender)

    @property
    def _creates(self) -> bool:
        tenant = tenant_cache.tenant(self._tenant_id)
        return tenant is None or tenant.create_unknown

    @property
    def _older(self) -> dict[str, Any]:
        return {"tenant": self._tenant_id, "older": array(map(identity.older_digest, self._events))}

    @staticmethod
    def _sent(statement: str, parameters: Mapping[str, Any]) -> Any:
        cursor = connection.cursor()
        cursor.execute(statement, parameters)
        return cursor

    def _found(self) -> tuple[ResolvedIds, Mapping[str, int]] | None:
        """The primary keys of users, items and types; None if the batch needs the general way."""
        users, items, kinds, ((older, has_merges),) = (_rows(cursor) for cursor in self._looked)
        clean = frozenset(pk for _, pk, is_clean in users if is_clean)
        ids, types = ResolvedIds({name: pk for name, pk, _ in users}, dict(items), clean), dict(kinds)
        if not self._are_known(ids, types):
            with connection.cursor() as cursor:
                cursor.execute(_GIVE_BACK)
            ids, types = self._resolved()
            ((older, has_merges),) = _rows(self._sent(_OLDER, self._older))
        return None if older or not self._are_known(ids, types) or (has_merges and self._are_merged()) else (ids, types)

    def _are_known(self, ids: ResolvedIds, types: Mapping[str, int]) -> bool:
        return (
            len(ids.users) == len(self._users)
            and len(ids.items) == len(self._items)
            and all(event.type in types for event in self._events)
        )

    def _resolved(self) -> tuple[ResolvedIds, dict[str, int]]:
        """The primary keys, after what may be created was created."""
        types = event_weights.resolve_event_types(
            tenant_id=self._tenant_id, names={event.type for event in self._events}
        )
        ids = id_resolution.resolve_ids(
            tenant_id=self._tenant_id,
            user_ids=self._users,
            item_ids=self._items,
            create=self._creates,
            now=self._now,
        )
        return ids, types

    def _are_merged(self) -> bool:
        named = {event.user_id for event in self._events if event.event_id is not None}
        return bool(merged_ids.find_merged_users(tenant_id=self._tenant_id, user_ids=named))

    def _insert(self, ids: ResolvedIds, types: Mapping[str, int]) -> list[RowResult]:
        events = self._events
        with connection.cursor() as cursor:
            cursor.execute(_STORE, self._parameters(ids, types))
            (old,) = cursor.fetchone()
        late: dict[str, Event] = {}
        results: Mapping[str, RowResult] = {}
        if old:
            gone = {digest.hex for digest in old}
            late = {digest: event for digest, event in zip(self._digests, events, strict=True) if digest in gone}
            results = deduplication.find_reused(tenant_id=self._tenant_id, events=late, ids=ids, types=types)
        new = {
            ids.users[event.user_id] for digest, event in zip(self._digests, events, strict=True) if digest not in late
        }
        triggers.enqueue_rescore(tenant_id=self._tenant_id, users=sorted(new & ids.clean))
        if new:
            triggers.plan_first_build(tenant_id=self._tenant_id, new_events=len(events) - len(late))
        return [
            results[digest] if digest in late else RowResult("created", event.event_id)
            for digest, event in zip(self._digests, events, strict=True)
        ]

    def _parameters(self, ids: ResolvedIds, types: Mapping[str, int]) -> dict[str, Any]:
        events = self._events
        return {
            "tenant": self._tenant_id,
            "now": self._now,
            "count": len(events),
            "occurred": array([event.occurred_at.isoformat() for event in events]),
            "users": array([str(ids.users[event.user_id]) for event in events]),
            "items": array([str(ids.items[event.item_id]) for event in events]),
            "digests": array(self._digests),
            "types": array([str(types[event.type]) for event in events]),
            "values": array(["NULL" if event.value is None else repr(event.value) for event in events]),
            "event_ids": _optional([event.event_id for event in events]),
            "recommendations": _optional([event.recommendation_id for event in events]),
            "contexts": _optional([json_text(event.context) for event in events]),
        }


def _rows(cursor: Any) -> list[Any]:
    with cursor:
        found: list[Any] = cursor.fetchall()
    return found


def _optional(values: Sequence[str | None]) -> str | None:
    """An array of texts; null if there is none, which `unnest` fills up."""
    return text_array(values) if any(values) else None
