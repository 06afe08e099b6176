"""Which events of a batch are stored already, and which take an id that another event of the same person has.

Their people are locked (`references.resolve`): nobody else stores events of theirs meanwhile.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection

from core.errors import FieldError, ServiceError
from recommendations.catalog.batch_results import Outcome
from recommendations.erasures import merged_ids
from recommendations.interactions import identity
from recommendations.interactions.event_schema import Event
from recommendations.interactions.id_resolution import References
from recommendations.interactions.identity import Sender


class EventIdReused(ServiceError):
    """Another event of the person has the id already."""

    code = "event_id_reused"
    title = "The event_id belongs to another event"


_REUSED = FieldError(
    "/event_id",
    EventIdReused.code,
    "This person has another event with this event_id, which says something else. Give each event an id of its own, "
    "and each line of an order too (such as order-7-1); an event without event_id is known by what it says.",
)
_STORED = """
    SELECT digest, id, end_user_id, item_id, type_id, value, recommendation_id, context, occurred_at,
        occurred_at <> received_at
    FROM recommendations_interaction WHERE tenant_id = %s AND digest = ANY(%s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class _Known:
    """An event that is stored, or stands earlier in the batch: then it has no row yet."""

    row: int | None
    person: int
    item: int
    type: int
    value: float | None
    recommendation_id: str | None
    context: Any
    occurred_at: datetime
    timed: bool


@dataclass(frozen=True, slots=True)
class Sorted:
    """`digests` of the events that are new, and the outcomes of the others, both by position."""

    digests: Mapping[int, str]
    outcomes: Mapping[int, Outcome]


@dataclass(frozen=True, slots=True)
class _Names:
    """Under which digests an event may be stored: its own, and older ones; and whose it may be then."""

    own: str
    older: tuple[str, ...]
    people: frozenset[int]


def sort(
    *, tenant_id: int, events: Mapping[int, Event], sender: Sender, found: References, types: Mapping[str, int]
) -> Sorted:
    """Tells new events, duplicates and reused ids apart; of equal ones in the batch the first is the new one.

    Under its own name an event is a duplicate or takes a used id. Under an older one (of before a merge, or of before
    ids belonged to people) it is a duplicate where it says the same, and otherwise another event.
    """
    named = _names(tenant_id, events, sender, found)
    known = _stored(tenant_id, {name for each in named.values() for name in (each.own, *each.older)})
    digests: dict[int, str] = {}
    outcomes: dict[int, Outcome] = {}
    for position, event in events.items():
        names = named[position]
        here = _of(event, found, types)
        same = partial(_same, event, here)
        if (stored := known.get(names.own)) is not None:
            outcomes[position] = _duplicate(event, stored) if same(stored) else _reused(event)
            continue
        repeated = next(
            (old for each in names.older if (old := known.get(each)) and old.person in names.people and same(old)), None
        )
        if repeated is not None:
            outcomes[position] = _duplicate(event, repeated)
            continue
        digests[position] = names.own
        known[names.own] = here
    return Sorted(digests, outcomes)


def _names(tenant_id: int, events: Mapping[int, Event], sender: Sender, found: References) -> dict[int, _Names]:
    with_id = {event.user_id for event in events.values() if event.event_id is not None}
    merged = merged_ids.now_called(tenant_id=tenant_id, user_ids=with_id)
    names = {}
    for position, event in events.items():
        into = merged.get(event.user_id, {}) if event.event_id is not None else {}
        others = (identity.digest(event, sender=sender, user_id=user_id) for user_id in into.values())
        names[position] = _Names(
            identity.digest(event, sender=sender),
            (*others, identity.older_digest(event)),
            frozenset({found.people[event.user_id], *into}),
        )
    return names


def _stored(tenant_id: int, digests: Collection[str]) -> dict[str, _Known]:
    if not digests:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [tenant_id, sorted(digests)])
        return {digest.hex: _read(*row) for digest, *row in cursor.fetchall()}


def _read(
    row: int,
    person: int,
    item: int,
    kind: int,
    value: float | None,
    recommendation_id: str | None,
    context: Any,
    *at: Any,
) -> _Known:
    return _Known(row, person, item, kind, value, recommendation_id, json.loads(context) if context else None, *at)


def _of(event: Event, found: References, types: Mapping[str, int]) -> _Known:
    return _Known(
        row=None,
        person=found.people[event.user_id],
        item=found.items[event.item_id],
        type=types[event.type],
        value=event.value,
        recommendation_id=event.recommendation_id,
        context=event.context,
        occurred_at=event.occurred_at,
        timed=event.timed,
    )


def _same(event: Event, here: _Known, other: _Known) -> bool:
    return (here.item, here.type) == (other.item, other.type) and identity.says_the_same(
        event,
        value=other.value,
        recommendation_id=other.recommendation_id,
        context=other.context,
        occurred_at=other.occurred_at,
        timed=other.timed,
    )


def _duplicate(event: Event, stored: _Known) -> Outcome:
    return Outcome("duplicate", event.event_id, row=stored.row)


def _reused(event: Event) -> Outcome:
    return Outcome("rejected", event.event_id, (_REUSED,))
