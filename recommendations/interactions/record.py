"""Recording what people did: each event once, however often it is sent."""

from collections.abc import Sequence
from datetime import datetime

from accounts import directory, scope
from core.errors import FieldError
from recommendations.catalog.outcomes import Outcome
from recommendations.interactions import aftermath, event_types, references, store
from recommendations.interactions.event import Event
from recommendations.interactions.references import References


def record(*, tenant_id: int, events: Sequence[Event], now: datetime, plan_first_build: bool = True) -> list[Outcome]:
    """Stores the events in one transaction; one outcome per event, in order: created, duplicate or rejected.

    Unknown people and items become stubs, or their events are rejected, as the tenant chose. People with new events
    are marked for near line; a tenant's first events may ask for its first build.
    Raises: Conflict.
    """
    facts = directory.tenant(tenant_id)
    with scope.tenant(tenant_id):
        types = event_types.resolve(tenant_id=tenant_id, names={event.type for event in events})
        found = references.resolve(
            tenant_id=tenant_id,
            user_ids={event.user_id for event in events},
            item_ids={event.item_id for event in events},
            create=facts is None or facts.create_unknown,
            now=now,
        )
        refused = {
            position: errors for position, event in enumerate(events) if (errors := _refusals(event, types, found))
        }
        rows = [
            (
                position,
                event.occurred_at,
                found.people[event.user_id],
                found.items[event.item_id],
                event.digest,
                types[event.type],
                event.value,
                event.event_id,
                event.recommendation_id,
                event.context,
            )
            for position, event in enumerate(events)
            if position not in refused
        ]
        new = store.insert(tenant_id=tenant_id, rows=rows, now=now)
        if new:
            aftermath.mark_dirty(tenant_id=tenant_id, people=set(new.values()), clean=found.clean, now=now)
            if plan_first_build:
                aftermath.plan_first_build(tenant_id=tenant_id, new_events=len(new))
    return _outcomes(events, refused, set(new))


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


def _outcomes(events: Sequence[Event], refused: dict[int, tuple[FieldError, ...]], new: set[str]) -> list[Outcome]:
    outcomes = []
    for position, event in enumerate(events):
        if position in refused:
            outcomes.append(Outcome("rejected", event.event_id, refused[position]))
        elif event.digest in new:
            new.discard(event.digest)  # of equal events in one batch the first is the new one
            outcomes.append(Outcome("created", event.event_id))
        else:
            outcomes.append(Outcome("duplicate", event.event_id))
    return outcomes
