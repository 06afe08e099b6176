"""Identity of events (docs/adr/0043).

An event id identifies one event of one user, and browsers have ids of their own: neither another user's event nor a
visitor's can block an event of the tenant's backend. Without an id, an event is identified by its content.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import Any

from recommendations.interactions.event_columns import EventColumns
from recommendations.interactions.event_schema import Event

_SEPARATOR = "\x1f"  # no id or type contains it, so joined fields cannot be confused
_WITH_ID, _WITHOUT_ID = "event id", "event"
_NO_CONTEXT = json.dumps({})
_PLAIN = json.dumps([None, _NO_CONTEXT])  # an event without recommendation and context


class Sender(StrEnum):
    """The namespace of event ids: the tenant's systems share one, browsers have another."""

    BACKEND = "backend"
    BROWSER = "browser"


def digest(event: Event, *, sender: Sender, user_id: str = "") -> str:
    """32 hexadecimal digits (truncated SHA-256); events of a tenant with equal digests are the same event.

    `user_id` is another id of the event's user, such as the one from before a merge. An event without id and time has
    its time of arrival, and so differs from every other.
    """
    user_id = user_id or event.user_id
    if event.event_id is not None:
        return _hash(_WITH_ID, sender, user_id, event.event_id)
    rest = _PLAIN
    if event.context or event.recommendation_id is not None:
        rest = json.dumps([event.recommendation_id, canonical_context(event.context)])
    content = (repr(_number(event.value)), event.occurred_at.isoformat(), rest)
    return _hash(_WITHOUT_ID, sender, user_id, event.item_id, event.type, *content)


def column_digests(events: EventColumns, *, sender: Sender) -> list[str]:
    """`digest` of each event."""
    with_id = _SEPARATOR.join((_WITH_ID, sender, ""))
    without = _SEPARATOR.join((_WITHOUT_ID, sender, ""))
    rows = zip(
        *(events.users, events.items, events.types, events.values, events.stamps),
        *(events.event_ids, events.recommendation_ids),
        strict=True,
    )
    texts = [
        f"{with_id}{user}\x1f{event_id}"
        if event_id is not None
        else f"{without}{user}\x1f{item}\x1f{kind}\x1f{value if value is None else float(value) + 0.0!r}\x1f{stamp}\x1f"
        f"{_PLAIN if list_id is None else json.dumps([list_id, _NO_CONTEXT])}"
        for user, item, kind, value, stamp, event_id, list_id in rows
    ]
    digests = [sha256(text.encode()).hexdigest()[:32] for text in texts]
    for place, event in events.odd.items():
        digests[place] = digest(event, sender=sender)
    return digests


# `digest` in SQL, for events with an id: of the sender, the user's id and the row's `event_id`.
SQL_DIGEST = (
    f"encode(substr(sha256(convert_to(concat_ws(E'\\x1f', '{_WITH_ID}', {{sender}}, {{user}}, event_id), 'UTF8')), "
    "1, 16), 'hex')::uuid"
)


def older_digest(event: Event) -> str:
    """The digest of events stored before event ids were scoped to users."""
    if event.event_id is not None:
        content = f"id{_SEPARATOR}{event.event_id}"
    else:
        when = event.occurred_at.isoformat()
        content = _SEPARATOR.join(("event", event.user_id, event.item_id, event.type, repr(event.value), when))
    return blake2b(content.encode(), digest_size=16).hexdigest()


def older_column_digests(events: EventColumns) -> list[str]:
    """`older_digest` of each event."""
    rows = zip(events.users, events.items, events.types, events.values, events.stamps, events.event_ids, strict=True)
    texts = [
        f"id\x1f{event_id}" if event_id is not None else f"event\x1f{user}\x1f{item}\x1f{kind}\x1f{value!r}\x1f{stamp}"
        for user, item, kind, value, stamp, event_id in rows
    ]
    return [blake2b(text.encode(), digest_size=16).hexdigest() for text in texts]


def is_equal_content(
    event: Event,
    *,
    value: float | None,
    recommendation_id: str | None,
    context: Any,
    occurred_at: datetime,
    timed: bool,
) -> bool:
    """Compares the content of `event` with that of an event with the same item and type.

    Times assigned by the server (`timed` False) are not compared: an event that is sent again without a time means the
    first one's.
    """
    return (
        _number(event.value) == _number(value)
        and (event.recommendation_id or None) == (recommendation_id or None)
        and canonical_context(event.context) == canonical_context(context)
        and (not timed or not event.timed or event.occurred_at == occurred_at)
    )


def canonical_context(context: Mapping[str, Any] | None) -> str:
    """One text for all equal contexts: 1 equals 1.0 (but not true), and the order of names is irrelevant."""
    return json.dumps({name: _plain(value) for name, value in (context or {}).items()}, sort_keys=True)


def _plain(value: Any) -> Any:
    return _number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _number(value: float | None) -> float | None:
    """Normalises negative zero, which equals zero but is printed differently."""
    return None if value is None else float(value) + 0.0


def _hash(*parts: str) -> str:
    return sha256(_SEPARATOR.join(parts).encode()).hexdigest()[:32]
