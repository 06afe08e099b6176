"""Recording what people did: each event once, however often it is sent."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from accounts.tenancy import scope, tenant_cache
from core.errors import FieldError
from recommendations.catalog.batch_results import Outcome
from recommendations.interactions import bulk_insert, deduplication, event_types, id_resolution, triggers
from recommendations.interactions.event_schema import Event
from recommendations.interactions.id_resolution import References
from recommendations.interactions.identity import Sender


def record(
    *,
    tenant_id: int,
    events: Sequence[Event],
    now: datetime,
    sender: Sender = Sender.BACKEND,
    plan_first_build: bool = True,
) -> list[Outcome]:
    """Stores the events in one transaction; one outcome per event, in order: created, duplicate or rejected.

    An event that was stored before, or stands earlier in the batch, is a duplicate. One that takes the id of another
    event of its person is rejected (`event_id_reused`). `sender` says whose ids the events' are (`identity`).
    Unknown people and items become stubs, or their events are rejected, as the tenant chose. People with new events
    are marked for near line; a tenant's first events may ask for its first build.
    Raises: Conflict.
    """
    facts = tenant_cache.tenant(tenant_id)
    with scope.tenant(tenant_id):
        types = event_types.resolve(tenant_id=tenant_id, names={event.type for event in events})
        found = id_resolution.resolve(
            tenant_id=tenant_id,
            user_ids={event.user_id for event in events},
            item_ids={event.item_id for event in events},
            create=facts is None or facts.create_unknown,
            now=now,
        )
        told = {
            position: Outcome("rejected", event.event_id, errors)
            for position, event in enumerate(events)
            if (errors := _refusals(event, types, found))
        }
        rest = {position: event for position, event in enumerate(events) if position not in told}
        judged = deduplication.sort(tenant_id=tenant_id, events=rest, sender=sender, found=found, types=types)
        rows = [
            (
                position,
                events[position].occurred_at,
                _received(events[position], now),
                found.people[events[position].user_id],
                found.items[events[position].item_id],
                digest,
                types[events[position].type],
                events[position].value,
                events[position].event_id,
                events[position].recommendation_id,
                events[position].context,
            )
            for position, digest in judged.digests.items()
        ]
        new = bulk_insert.insert(tenant_id=tenant_id, rows=rows, now=now)
        if new:
            triggers.mark_dirty(tenant_id=tenant_id, people=set(new.values()), clean=found.clean, now=now)
            if plan_first_build:
                triggers.plan_first_build(tenant_id=tenant_id, new_events=len(new))
    return _outcomes(events, {**told, **judged.outcomes}, judged.digests, new)


def _received(event: Event, now: datetime) -> datetime:
    """Return when the event came: one that says no time came when it happened, which tells it from those that do."""
    return now if event.timed else min(now, event.occurred_at)


def _refusals(event: Event, types: dict[str, int], found: References) -> tuple[FieldError, ...]:
    errors = []
    if event.type not in types:
        detail = f"The tenant has {event_types.MAX_TYPES} types already; use one of them."
        errors.append(FieldError("/type", "too_many_types", detail))
    if event.user_id not in found.people:
        errors.append(FieldError("/user_id", "unknown_user", "There is no such end user; create it first."))
    if event.item_id not in found.items:
        errors.append(FieldError("/item_id", "unknown_item", "There is no such item; create it first."))
    return tuple(errors)


def _outcomes(
    events: Sequence[Event], told: Mapping[int, Outcome], digests: Mapping[int, str], new: Mapping[str, int]
) -> list[Outcome]:
    return [
        told.get(position) or Outcome("created" if digests[position] in new else "duplicate", event.event_id)
        for position, event in enumerate(events)
    ]
