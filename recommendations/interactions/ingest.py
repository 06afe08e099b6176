"""Ingestion of events: each is stored once, however often it is sent."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from accounts.tenancy import scope, tenant_cache
from core.errors import FieldError
from recommendations.catalog.batch_results import RowResult
from recommendations.interactions import event_weights, id_resolution, triggers
from recommendations.interactions.event_schema import Event
from recommendations.interactions.id_resolution import ResolvedIds
from recommendations.interactions.identity import Sender
from recommendations.interactions.writing import bulk_insert, deduplication


def record_events(
    *,
    tenant_id: int,
    events: Sequence[Event],
    now: datetime,
    sender: Sender = Sender.BACKEND,
) -> list[RowResult]:
    """Stores the events in one transaction; returns one result per event, in order: created, duplicate or rejected.

    An event that is stored already or appears earlier in the batch is a duplicate. One that reuses the id of another
    event of its user is rejected (`event_id_reused`). Unknown users and items become stubs, or their events are
    rejected, as the tenant's settings say. Users with new events are marked for a near-line rescore; a tenant's first
    events may trigger its first build.

    Raises:
        Conflict: The users are being erased.
    """
    tenant = tenant_cache.tenant(tenant_id)
    with scope.tenant(tenant_id):
        types = event_weights.resolve_event_types(tenant_id=tenant_id, names={event.type for event in events})
        ids = id_resolution.resolve_ids(
            tenant_id=tenant_id,
            user_ids={event.user_id for event in events},
            item_ids={event.item_id for event in events},
            create=tenant is None or tenant.create_unknown,
            now=now,
        )
        rejected = {
            position: RowResult("rejected", event.event_id, errors)
            for position, event in enumerate(events)
            if (errors := name_errors(event.type, event.user_id, event.item_id, types=types, ids=ids))
        }
        accepted = {position: event for position, event in enumerate(events) if position not in rejected}
        unique = deduplication.deduplicate(tenant_id=tenant_id, events=accepted, sender=sender, ids=ids, types=types)
        rows = [
            _row(position, events[position], digest, types=types, ids=ids, now=now)
            for position, digest in unique.digests.items()
        ]
        known = {**rejected, **unique.results}
        new = bulk_insert.insert_events(tenant_id=tenant_id, rows=rows, now=now)
        if new:
            triggers.mark_dirty(tenant_id=tenant_id, users=set(new.values()), clean=ids.clean, now=now)
            triggers.plan_first_build(tenant_id=tenant_id, new_events=len(new))
    return _results(events, known, unique.digests, new)


def _row(
    position: int, event: Event, digest: str, *, types: Mapping[str, int], ids: ResolvedIds, now: datetime
) -> tuple[Any, ...]:
    """Values in the order of `bulk_insert.COLUMNS`."""
    return (
        position,
        event.occurred_at,
        received_at(event, now),
        ids.users[event.user_id],
        ids.items[event.item_id],
        digest,
        types[event.type],
        event.value,
        event.event_id,
        event.recommendation_id,
        event.context,
    )


def received_at(event: Event, now: datetime) -> datetime:
    """The time of arrival. That of an event without a time equals its `occurred_at`, which marks it as untimed."""
    return now if event.timed else min(now, event.occurred_at)


def name_errors(
    kind: str, user_id: str, item_id: str, *, types: Mapping[str, int], ids: ResolvedIds
) -> tuple[FieldError, ...]:
    """The errors of an event whose type, user or item is neither known nor created."""
    errors = []
    if kind not in types:
        detail = f"The tenant already has {event_weights.MAX_TYPES} event types; use one of them."
        errors.append(FieldError("/type", "too_many_types", detail))
    if user_id not in ids.users:
        errors.append(FieldError("/user_id", "unknown_user", "Unknown user; create it first."))
    if item_id not in ids.items:
        errors.append(FieldError("/item_id", "unknown_item", "Unknown item; create it first."))
    return tuple(errors)


def _results(
    events: Sequence[Event], known: Mapping[int, RowResult], digests: Mapping[int, str], new: Mapping[str, int]
) -> list[RowResult]:
    return [
        known.get(position) or RowResult("created" if digests[position] in new else "duplicate", event.event_id)
        for position, event in enumerate(events)
    ]
