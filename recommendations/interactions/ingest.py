"""Ingestion of events: each is stored once, however often it is sent."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from accounts.tenancy import scope, tenant_cache
from core.errors import FieldError
from recommendations.catalog.batch_results import RowResult
from recommendations.interactions import bulk_insert, deduplication, event_weights, id_resolution, triggers
from recommendations.interactions.event_schema import Event
from recommendations.interactions.id_resolution import ResolvedIds
from recommendations.interactions.identity import Sender

# Results of a file's rows, which need no id.
_CREATED, _DUPLICATE = RowResult("created"), RowResult("duplicate")


def record_events(
    *,
    tenant_id: int,
    events: Sequence[Event],
    now: datetime,
    sender: Sender = Sender.BACKEND,
    from_file: bool = False,
) -> list[RowResult]:
    """Stores the events in one transaction; returns one result per event, in order: created, duplicate or rejected.

    An event that is stored already or appears earlier in the batch is a duplicate. One that reuses the id of another
    event of its user is rejected (`event_id_reused`). Unknown users and items become stubs, or their events are
    rejected, as the tenant's settings say. Users with new events are marked for a near-line rescore; a tenant's first
    events may trigger its first build. With `from_file` the caller does both at the end of the file, and holds the lock
    of the erasure log, so that no user is locked.

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
            lock=not from_file,
        )
        rejected = {
            position: RowResult("rejected", event.event_id, errors)
            for position, event in enumerate(events)
            if (errors := _errors(event, types, ids))
        }
        accepted = {position: event for position, event in enumerate(events) if position not in rejected}
        unique = deduplication.deduplicate(tenant_id=tenant_id, events=accepted, sender=sender, ids=ids, types=types)
        rows = [
            _row(position, events[position], digest, types=types, ids=ids, now=now)
            for position, digest in unique.digests.items()
        ]
        known = {**rejected, **unique.results}
        if from_file:
            known |= _copy(tenant_id, events, unique.digests, rows, ids=ids, types=types, now=now)
            return [known.get(position) or _CREATED for position in range(len(events))]
        new = bulk_insert.insert_events(tenant_id=tenant_id, rows=rows, now=now)
        if new:
            triggers.mark_dirty(tenant_id=tenant_id, users=set(new.values()), clean=ids.clean, now=now)
            triggers.plan_first_build(tenant_id=tenant_id, new_events=len(new))
    return _results(events, known, unique.digests, new)


def _copy(
    tenant_id: int,
    events: Sequence[Event],
    digests: Mapping[int, str],
    rows: Sequence[Sequence[Any]],
    *,
    ids: ResolvedIds,
    types: Mapping[str, int],
    now: datetime,
) -> dict[int, RowResult]:
    """Writes the rows; the results of those that others stored since they were looked for."""
    if not rows:
        return {}
    old = bulk_insert.copy_events(tenant_id=tenant_id, lines=map(bulk_insert.copy_line, rows), now=now)
    if not old:
        return {}
    late = {position: digest for position, digest in digests.items() if digest in old}
    found = deduplication.find_reused(
        tenant_id=tenant_id,
        events={digest: events[position] for position, digest in late.items()},
        ids=ids,
        types=types,
    )
    return {position: found.get(digest, _DUPLICATE) for position, digest in late.items()}


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


def _errors(event: Event, types: Mapping[str, int], ids: ResolvedIds) -> tuple[FieldError, ...]:
    errors = []
    if event.type not in types:
        detail = f"The tenant already has {event_weights.MAX_TYPES} event types; use one of them."
        errors.append(FieldError("/type", "too_many_types", detail))
    if event.user_id not in ids.users:
        errors.append(FieldError("/user_id", "unknown_user", "Unknown user; create it first."))
    if event.item_id not in ids.items:
        errors.append(FieldError("/item_id", "unknown_item", "Unknown item; create it first."))
    return tuple(errors)


def _results(
    events: Sequence[Event], known: Mapping[int, RowResult], digests: Mapping[int, str], new: Mapping[str, int]
) -> list[RowResult]:
    return [
        known.get(position) or RowResult("created" if digests[position] in new else "duplicate", event.event_id)
        for position, event in enumerate(events)
    ]
