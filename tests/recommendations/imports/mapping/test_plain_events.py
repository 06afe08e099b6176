"""Records of events that are read in one step, singly or in blocks, mean what the general way makes of them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.imports.formats.rows import Record
from recommendations.imports.mapping import plain_events
from recommendations.imports.mapping.column_mapping import AS_NAMED
from recommendations.imports.mapping.row_mapping import RowMapping
from recommendations.imports.models import Import
from recommendations.interactions.event_schema import read_event

NAMES = ("user_id", "item_id", "type", "occurred_at", "value", "event_id", "recommendation_id")
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
PLAIN = ["ada", "item-1", "view", "2026-11-01T08:30:00Z", "9.99", "order-7 1", "r0"]


def in_one_step(cells, names=NAMES, meaning=AS_NAMED):
    read = plain_events.plain_reader(RowMapping(Import.Kind.EVENTS, meaning), names)
    return read(Record(2, cells)) if read is not None else None


def in_a_block(*rows):
    """The events of these rows and of a plain one; None if they cannot be read at once."""
    read = plain_events.block_reader(RowMapping(Import.Kind.EVENTS), NAMES)
    assert read is not None
    columns = read(list(zip(*rows, PLAIN, strict=True)))
    return None if columns is None else list(columns.events().values())


def the_general_way(cells):
    plan = RowMapping(Import.Kind.EVENTS)
    line = next(iter(plan.rows(plan.table((*NAMES, "context"))(Record(2, [*cells, ""])))))
    return read_event(line.row, now=NOW)


def changed(name, cell):
    return [cell if name == each else old for each, old in zip(NAMES, PLAIN, strict=True)]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("user_id", "ada"),
        ("user_id", "Ä b/c"),
        ("user_id", "tag:x,2026:7"),
        ("type", " View "),
        ("type", "purchase"),
        ("occurred_at", "1764547200"),
        ("occurred_at", "964982703"),
        ("occurred_at", "2026-11-01 08:30:00.123456Z"),
        ("value", ""),
        ("value", "3"),
        ("value", "0.1"),
        ("event_id", ""),
        ("event_id", "Ω 7"),
        ("recommendation_id", ""),
    ],
)
def test_usual_cells_are_read_as_the_general_way_reads_them(name, cell):
    read = in_one_step(changed(name, cell))

    assert read is not None
    assert read == the_general_way(changed(name, cell))
    assert in_a_block(changed(name, cell)) == [read, in_one_step(PLAIN)]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        *((name, cell) for name in ("user_id", "item_id") for cell in ("", "NaN", "batch", " a", "a\x7f", "x" * 129)),
        ("user_id", "a/similar"),
        *(("type", cell) for cell in ("", "null", "Ünlike", "x" * 65)),
        *(("occurred_at", cell) for cell in ("", "0", "99999999", "1764547200000", "2026-11-01")),
        *(("occurred_at", cell) for cell in ("2026-02-30T00:00:00Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z")),
        ("occurred_at", "2026-11-01T08:30:00+01:00"),
        *(("value", cell) for cell in ("-1", "1e3", "NaN", "9,99", " 1", "9" * 16)),
        *(("event_id", cell) for cell in ("x" * 129, "a\x00", "NULL", "a\tb")),
        ("recommendation_id", "x" * 65),
    ],
)  # fmt: skip
def test_any_other_cell_takes_the_general_way(name, cell):
    assert in_one_step(changed(name, cell)) is None
    assert in_a_block(changed(name, cell)) is None


_cells = st.sampled_from(
    ["", " ", "a", "7", "0.5", "-1", "NaN", "view", "View ", "batch", "a/similar", "Ä b", "x" * 129, "1764547200"]
    + [f"2026-{day}T08:30:00{end}" for day in ("11-01", "02-30") for end in ("Z", ".5Z", ".1234567Z", "+01:00")]
    + ["2026-11-01 08:30:00Z", "1970-01-01T00:00:00Z", "1899-12-31T00:00:00Z", "2026-11-01T24:00:00Z", "9" * 16]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), _cells), min_size=1, max_size=3))
def test_a_block_is_read_as_its_records_are(changes):
    rows = [changed(name, cell) for name, cell in changes]

    block = in_a_block(*rows)

    singly = [in_one_step(row) for row in [*rows, PLAIN]]
    assert block == (None if None in singly else singly)


def test_other_columns_take_the_general_way():
    assert plain_events.plain_reader(RowMapping(Import.Kind.EVENTS), (*NAMES, "context.device")) is None
    assert plain_events.plain_reader(RowMapping(Import.Kind.EVENTS), ("user_id", "item_id", "type")) is None
    assert plain_events.plain_reader(RowMapping(Import.Kind.ITEMS), ("item_id",)) is None
    assert plain_events.block_reader(RowMapping(Import.Kind.ITEMS), ("item_id",)) is None
