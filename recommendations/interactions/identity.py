"""What makes two events the same one (docs/adr/0044).

An event id names one event of one person, and what a browser sends has ids of its own: neither another person's event
nor a visitor's can stand in the way of what the tenant's backend tells. Without an id, an event is what it says.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from recommendations.interactions.event_schema import Event

_BLANK = "\x1f"  # cannot stand in a person's id, an item's or a type, so joined fields cannot be confused
_WITH_ID, _WITHOUT_ID = "event id", "event"


class Sender(StrEnum):
    """Whose ids an event's id is one of: the tenant's systems share theirs, people's browsers have their own."""

    BACKEND = "backend"
    BROWSER = "browser"


def digest(event: Event, *, sender: Sender, user_id: str = "") -> str:
    """32 hexadecimal digits (SHA-256, cut): equal ones in one tenant mean one event.

    `user_id` is another name of the event's person, where it is not theirs of today. The time of an event without id
    that says none is when it came, so that each is another event.
    """
    person = user_id or event.user_id
    if event.event_id is not None:
        return _hash(_WITH_ID, sender, person, event.event_id)
    more = json.dumps([event.recommendation_id, canonical(event.context)])
    said = (repr(_number(event.value)), event.occurred_at.isoformat(), more)
    return _hash(_WITHOUT_ID, sender, person, event.item_id, event.type, *said)


# The same in SQL, for events with an id: `digest` of the sender, the person's id and the row's `event_id`.
SQL_DIGEST = (
    f"encode(substr(sha256(convert_to(concat_ws(E'\\x1f', '{_WITH_ID}', {{sender}}, {{person}}, event_id), 'UTF8')), "
    "1, 16), 'hex')::uuid"
)


def older_digest(event: Event) -> str:
    """The digest that events had which were stored before ids belonged to people: one id in the whole tenant."""
    if event.event_id is not None:
        said = f"id{_BLANK}{event.event_id}"
    else:
        when = event.occurred_at.isoformat()
        said = _BLANK.join(("event", event.user_id, event.item_id, event.type, repr(event.value), when))
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def says_the_same(
    event: Event,
    *,
    value: float | None,
    recommendation_id: str | None,
    context: Any,
    occurred_at: datetime,
    timed: bool,
) -> bool:
    """Whether an event of the same item and type says what `event` says.

    A time that either of them has from the server (`timed` False) is no difference: whoever sends an event again
    without a time means the first one's.
    """
    return (
        _number(event.value) == _number(value)
        and (event.recommendation_id or None) == (recommendation_id or None)
        and canonical(event.context) == canonical(context)
        and (not timed or not event.timed or event.occurred_at == occurred_at)
    )


def canonical(context: Mapping[str, Any] | None) -> str:
    """One text for all contexts that say the same: 1 is 1.0 (and not true), the order of names says nothing."""
    return json.dumps({name: _plain(value) for name, value in (context or {}).items()}, sort_keys=True)


def _plain(value: Any) -> Any:
    return _number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _number(value: float | None) -> float | None:
    """Without a negative zero, which equals zero and reads otherwise."""
    return None if value is None else float(value) + 0.0


def _hash(*parts: str) -> str:
    return hashlib.sha256(_BLANK.join(parts).encode()).hexdigest()[:32]
