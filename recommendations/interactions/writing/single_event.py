"""One event in two statements: the usual one is of a known user, item and type, and new.

Everything else takes the general way (`ingest.record_events`), in the same transaction: unknown names, duplicates,
events from before a merge. Nothing is remembered between requests, so no erased user or deleted item can come back.
"""

from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from accounts.tenancy import tenant_cache
from recommendations.catalog.batch_results import RowResult
from recommendations.erasures import log
from recommendations.interactions import identity, ingest, triggers
from recommendations.interactions.event_schema import Event
from recommendations.interactions.identity import Sender
from recommendations.interactions.writing.bulk_insert import json_text

# The user is locked, as `id_resolution` does it, so that nobody erases them or stores an event of theirs meanwhile.
_LOOK = """
    WITH locked AS MATERIALIZED (
        SELECT id, dirty_at IS NULL AS clean FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND user_id = %(user)s FOR NO KEY UPDATE
    )
    SELECT (SELECT id FROM locked), (SELECT clean FROM locked),
        (SELECT id FROM recommendations_item
            WHERE tenant_id = %(tenant)s AND item_id = %(item)s AND (%(create)s OR deleted_at IS NULL)),
        (SELECT id FROM recommendations_eventtype WHERE tenant_id = %(tenant)s AND name = %(type)s),
        EXISTS (SELECT 1 FROM recommendations_interaction
            WHERE tenant_id = %(tenant)s AND digest IN (%(digest)s::uuid, %(older)s::uuid))
        OR EXISTS (SELECT 1 FROM recommendations_formerid WHERE tenant_id = %(tenant)s AND digest = %(former)s)
"""
_STORE = """
    WITH inserted AS (
        INSERT INTO recommendations_interaction (
            tenant_id, received_at, occurred_at, end_user_id, item_id, digest, type_id, value,
            event_id, recommendation_id, context
        ) VALUES (
            %(tenant)s, %(received)s, %(occurred)s, %(user)s, %(item)s, %(digest)s, %(type)s, %(value)s,
            %(event_id)s, %(recommendation)s, %(context)s::jsonb
        )
        ON CONFLICT (tenant_id, digest) DO NOTHING
        RETURNING id, recommendation_id
    ), queued AS (
        INSERT INTO recommendations_feedback (tenant_id, interaction_id, noted_at, due_at, attempts)
        SELECT %(tenant)s, id, %(now)s, %(now)s, 0 FROM inserted WHERE recommendation_id IS NOT NULL
    ), marked AS (
        UPDATE recommendations_enduser
        SET last_event_at = greatest(last_event_at, %(now)s), dirty_at = coalesce(dirty_at, %(now)s)
        WHERE tenant_id = %(tenant)s AND id = %(user)s AND EXISTS (SELECT 1 FROM inserted)
    )
    SELECT count(*) FROM inserted
"""


class _Found(NamedTuple):
    user: int | None
    clean: bool | None
    item: int | None
    type: int | None
    known: bool


class EventWrite:
    """The storing of one event. `look` may be sent together with the statements that open the transaction."""

    def __init__(self, *, tenant_id: int, event: Event, now: datetime, sender: Sender) -> None:
        self._tenant_id, self._event, self._now, self._sender = tenant_id, event, now, sender
        self._digest = identity.digest(event, sender=sender)
        self._looked: Any = None

    def look(self) -> None:
        """Looks the event up, and locks its user."""
        event, tenant = self._event, tenant_cache.tenant(self._tenant_id)
        self._looked = connection.cursor()
        self._looked.execute(
            _LOOK,
            {
                "tenant": self._tenant_id,
                "user": event.user_id,
                "item": event.item_id,
                "type": event.type,
                "create": tenant is None or tenant.create_unknown,
                "digest": self._digest,
                "older": identity.older_digest(event),
                "former": log.digest(self._tenant_id, event.user_id) if event.event_id is not None else "",
            },
        )

    def store(self) -> RowResult:
        """Stores the event, as `ingest.record_events` does. Call it in the tenant's scope, after `look`.

        Raises: Conflict if the user is being erased.
        """
        with self._looked as cursor:
            found = _Found(*cursor.fetchone())
        usual = not found.known and None not in (found.user, found.item, found.type)
        if usual and self._insert(found):
            user = int(found.user or 0)
            triggers.enqueue_rescore(tenant_id=self._tenant_id, users=[user] if found.clean else [])
            triggers.plan_first_build(tenant_id=self._tenant_id, new_events=1)
            return RowResult("created", self._event.event_id)
        (result,) = ingest.record_events(
            tenant_id=self._tenant_id, events=[self._event], now=self._now, sender=self._sender
        )
        return result

    def _insert(self, found: _Found) -> bool:
        """Inserts the event and marks its user; False if it was stored while the lock was waited for."""
        event = self._event
        with connection.cursor() as cursor:
            cursor.execute(
                _STORE,
                {
                    "tenant": self._tenant_id,
                    "now": self._now,
                    "received": ingest.received_at(event, self._now),
                    "occurred": event.occurred_at,
                    "user": found.user,
                    "item": found.item,
                    "digest": self._digest,
                    "type": found.type,
                    "value": event.value,
                    "event_id": event.event_id,
                    "recommendation": event.recommendation_id,
                    "context": json_text(event.context),
                },
            )
            return bool(cursor.fetchone()[0])
