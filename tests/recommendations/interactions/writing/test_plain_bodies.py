"""Bodies that are read in one step mean what the general way makes of them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import FieldError, InvalidInput
from core.http import json_text
from core.http.json_text import Bounds
from recommendations.catalog.validators import FieldRefused
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.writing import plain_bodies

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
BOUNDS = Bounds.for_body_size(1 << 20)
PLAIN: dict[str, Any] = {"user_id": "ada", "item_id": "item-1", "type": "view"}
FULL = PLAIN | {
    "event_id": "order-7 1",
    "value": 9.99,
    "occurred_at": "2026-11-01T08:30:00Z",
    "recommendation_id": "r0",
    "context": {"device": "tv", "tags": ["a", "b"], "n": 1, "x": True},
}


def in_one_step(body):
    return plain_bodies.read_many(body, bounds=BOUNDS, most=1000, now=NOW)


def the_general_way(body):
    """The events, or None if there is anything to say about one."""
    try:
        read = json_text.parse(body, BOUNDS)
        if not isinstance(read, dict) or set(read) != {"events"} or not isinstance(read["events"], list):
            return None
        notes: list[FieldError] = []
        events = [read_event(raw, now=NOW, notes=notes) for raw in read["events"]]
    except (InvalidInput, FieldRefused):
        return None
    return None if notes else events


def batch(*rows):
    return json.dumps({"events": rows}).encode()


@pytest.mark.parametrize(
    "row",
    [
        PLAIN,
        FULL,
        *(PLAIN | {name: None} for name in FULL if name not in PLAIN),
        *(PLAIN | {"user_id": name} for name in ("Ä b/c", "tag:x 2026:7", "a_b", "x" * 128)),
        *(PLAIN | {"occurred_at": at} for at in (1764547200, 964982703.5, "2026-11-01 08:30:00.1234567Z")),
        *(PLAIN | {"occurred_at": at} for at in ("2026-11-01T08:30:00.5Z", "2026-11-01t08:30:00+01:00")),
        *(PLAIN | {"value": value} for value in (0, -0.0, -3, 1e-9, 2**53 - 1)),
        *(PLAIN | {"event_id": text} for text in ("", "Ω 7", 'say "hi" \\ twice')),
        PLAIN | {"context": {}},
    ],
)
def test_usual_rows_are_read_as_the_general_way_reads_them(row):
    read = in_one_step(batch(row, FULL | {"context": {"a": 1}}))

    assert read is not None
    assert read == the_general_way(batch(row, FULL | {"context": {"a": 1}}))
    one = plain_bodies.read_one(json.dumps(row).encode(), bounds=BOUNDS, now=NOW)
    assert one == read[0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"events": []}',
        b'{"events": {}}',
        b'{"events": [7]}',
        b'{"events": [], "dry_run": true}',
        b'\xef\xbb\xbf{"events": [{"user_id": "a", "item_id": "b", "type": "c"}]}',
        b'{"events": [{"user_id": "a", "user_id": "b", "item_id": "b", "type": "c"}]}',
        b'{"events": [{"user_id": "a", "\\u0075ser_id": "b", "item_id": "b", "type": "c"}]}',
        b'{"events": [{"user_id": "a", "item_id": "b", "type": "c"}], "events": []}',
        b'{"events": [{"user_id": "a", "item_id": "b", "type": "c", "context": {"a": 1, "a": 2}}]}',
        b'{"events": [{"user_id": "a", "item_id": "b", "type": "c", "value": 1e999}]}',
        b'{"events": [{"user_id": "a", "item_id": "b", "type": "c", "value": NaN}]}',
        b'{"events": [{"user_id": "a\xff", "item_id": "b", "type": "c"}]}',
        b'{"events": [{"user_id": "\\ud800", "item_id": "b", "type": "c"}]}',
        *(batch(PLAIN | {name: None}) for name in PLAIN),
        *(batch(PLAIN | {"user_id": name}) for name in ("", "batch", " a", "a\x7f", "x" * 129, "a/similar", 7)),
        *(batch(PLAIN | {"type": name}) for name in ("", "View", "Ünlike", "x" * 65)),
        *(batch(PLAIN | {"value": value}) for value in (2**53 + 1, -(10**40), "1", True, ["x"])),
        *(batch(PLAIN | {"occurred_at": at}) for at in (0, 99999999, 1764547200000, "2026-11-01", "x", True)),
        *(batch(PLAIN | {"occurred_at": f"{at}T00:00:00Z"}) for at in ("2026-02-30", "1970-01-01", "0001-01-01")),
        batch(PLAIN | {"occurred_at": "2026-12-02T00:00:00Z"}),
        batch(PLAIN | {"event_id": "x" * 129}),
        batch(PLAIN | {"recommendation_id": "x" * 65}),
        batch(PLAIN | {"unknown": 1}),
        batch(PLAIN | {"context": {"nested": {}}}),
        batch(PLAIN | {"context": {"page": None}}),
    ],
)
def test_any_other_body_takes_the_general_way(body):
    assert in_one_step(body) is None


_values: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, 0, -1, 2**53, 2**64, 10**30, 0.5, float("nan"), float("inf"), 1764547200, 1764547200.25),
        *("", "a,b", "\ud800", "é", "\x00", "\n", "batch", "view", "x" * 129, "2026-11-01T08:30:00Z"),
        *({}, {"a": "b,c"}, {"a": None}, {"value": 1}, {"a": {}}, [], ["a", "b"]),
    ]
)
_rows = st.builds(
    lambda row, members: row | dict(members),
    st.sampled_from([PLAIN, FULL]),
    st.lists(st.tuples(st.sampled_from([*FULL, "received_at", "x"]), _values), max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(_rows, min_size=1, max_size=3),
    ascii_only=st.booleans(),
    spaced=st.booleans(),
    twice=st.sampled_from([b"", b'"value": 1, ', b'"context": {}, ', b'"event_id": null, ']),
    noise=st.tuples(st.integers(0, 400), st.sampled_from([b"", b",", b'"', b"\\", b"}", b"\x00", b"0", b"\xff", b" "])),
)
def test_no_body_is_read_in_two_ways(rows, ascii_only, spaced, twice, noise):
    separators = (", ", ": ") if spaced else (",", ":")
    text = json.dumps({"events": rows}, ensure_ascii=ascii_only, separators=separators)
    body = text.encode("utf-8", "surrogatepass").replace(b'"user_id"', twice + b'"user_id"', 1)
    body = body[: noise[0]] + noise[1] + body[noise[0] :]

    read = in_one_step(body)

    assert read is None or read == the_general_way(body)
