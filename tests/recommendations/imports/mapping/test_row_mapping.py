"""Mapping of columns to fields: names, defaults, time zones, and columns that nobody knows."""

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import clock
from recommendations.catalog.validators import FieldRefused
from recommendations.imports.formats.files import UnreadableFile
from recommendations.imports.formats.rows import Line
from recommendations.imports.mapping import column_mapping
from recommendations.imports.mapping.column_mapping import ColumnMapping
from recommendations.imports.mapping.presets import PRESETS
from recommendations.imports.models import Import
from recommendations.imports.row_handlers import ROW_HANDLERS
from tests.recommendations.imports.mapping.mapped_rows import plan, row_of
from tests.size import some


class TestMapping:
    def test_renames_columns(self):
        which = plan(columns=["id=item_id", "name=title", "price=attributes.price"])

        line = row_of(which, {"id": "a", "name": "Kettle", "price": "39.9"})

        assert line.row == {"item_id": "a", "title": "Kettle", "attributes": {"price": 39.9}}

    def test_one_column_may_be_two_fields(self):
        which = plan(columns=["name=title", "name=attributes.name"])

        assert row_of(which, {"item_id": "a", "name": "x"}).row == {
            "item_id": "a",
            "title": "x",
            "attributes": {"name": "x"},
        }

    def test_a_column_may_be_mapped_away_from_its_own_name(self):
        which = plan(columns=["title=description", "name=title"])

        assert row_of(which, {"item_id": "a", "title": "long", "name": "short"}).row == {
            "item_id": "a",
            "title": "short",
            "description": "long",
        }

    def test_paths_reach_into_objects(self):
        which = plan(columns=["product.id=item_id", "product.name=title"], extra="ignore")

        (line,) = which.rows(Line(1, {"product": {"id": 7, "name": "x"}, "other": 1}))

        assert line.row == {"item_id": "7", "title": "x"}

    def test_a_default_is_for_rows_that_say_nothing(self):
        which = plan("events", defaults=["type=purchase", "value=1"])

        assert row_of(which, {"user_id": "u", "item_id": "i", "value": ""}).row == {
            "user_id": "u",
            "item_id": "i",
            "type": "purchase",
            "value": 1.0,
        }
        assert row_of(which, {"user_id": "u", "item_id": "i", "type": "view"}).row["type"] == "view"

    @pytest.mark.parametrize(
        ("cell", "utc"),
        [
            ("2026-03-01 08:30:00", "2026-03-01T07:30:00+00:00"),
            ("2026-07-01T08:30", "2026-07-01T06:30:00+00:00"),
            ("2026-07-01", "2026-06-30T22:00:00+00:00"),
            ("2026/07/01 08:30:00.25", "2026-07-01T06:30:00.250000+00:00"),
            ("2026-07-01T08:30:00Z", "2026-07-01T08:30:00Z"),
        ],
    )
    def test_the_time_zone_is_of_times_without_an_offset(self, cell, utc):
        which = plan("events", timezone="Europe/Berlin")

        assert (
            row_of(which, {"user_id": "u", "item_id": "i", "type": "view", "occurred_at": cell}).row["occurred_at"]
            == utc
        )

    @pytest.mark.parametrize(
        ("unit", "number"), [("milliseconds", "1709283000250"), ("microseconds", "1709283000250000")]
    )
    def test_the_unit_is_of_times_that_are_numbers(self, unit, number):
        which = plan("events", time_unit=unit)

        row = row_of(which, {"user_id": "u", "item_id": "i", "type": "view", "occurred_at": number}).row

        assert row["occurred_at"] == 1709283000.25

    def test_other_columns_become_attributes_or_are_ignored(self):
        cells = {"item_id": "a", "colour": "red", "stock": "3", "empty": ""}

        assert row_of(plan(extra="attributes"), cells).row["attributes"] == {"colour": "red", "stock": 3}
        assert row_of(plan(extra="ignore"), cells).row == {"item_id": "a"}
        row = row_of(plan("events", extra="attributes"), {"user_id": "u", "item_id": "i", "type": "v", "page": "7"}).row
        assert row["context"] == {"page": 7}

    def test_a_value_that_no_attribute_can_hold_is_left_out_and_its_row_kept(self):
        raw = {"item_id": "a", "nested": {"a": 1}, "nan": math.nan, "ids": [1, 2], "big": 2**60, "mixed": [{}]}

        (line,) = plan(extra="attributes").rows(Line(1, raw))

        assert line.row["attributes"] == {"ids": ["1", "2"], "big": str(2**60)}
        assert [note.pointer for note in line.notes] == ["/attributes/nested", "/attributes/nan", "/attributes/mixed"]

    @pytest.mark.parametrize(
        ("said", "pointer", "code"),
        [
            ({"columns": ["id"]}, "/map", "bad_pair"),
            ({"columns": ["=title"]}, "/map", "bad_pair"),
            ({"columns": ["id=itemid"]}, "/map", "no_such_field"),
            ({"columns": ["id=attributes."]}, "/map", "no_such_field"),
            ({"columns": ["a=title", "b=title"]}, "/map", "mapped_twice"),
            ({"columns": ["a=title\x00"]}, "/map", "bad_pair"),
            ({"columns": ["a=title"] * 513}, "/map", "too_many"),
            ({"defaults": ["type"]}, "/default", "bad_pair"),
            ({"defaults": ["type=a", "type=b"]}, "/default", "mapped_twice"),
            ({"defaults": ["hidden=maybe"]}, "/default", "bad_default"),
            ({"defaults": ["item_id=a"]}, "/default", "bad_pair"),
            ({"timezone": "Mars/Olympus"}, "/timezone", "unknown_timezone"),
            ({"timezone": "../../etc/passwd"}, "/timezone", "unknown_timezone"),
            ({"timezone": ""}, "/timezone", "unknown_timezone"),
            ({"time_unit": "days"}, "/time_unit", "unknown_value"),
            ({"extra": "keep"}, "/extra", "unknown_value"),
            ({"preset": "shopfy"}, "/preset", "unknown_preset"),
            ({"preset": "ga4"}, "/preset", "unknown_preset"),
        ],
    )
    def test_nonsense_is_told_before_anything_is_read(self, said, pointer, code):
        said = {"defaults": [], **said}
        kind = Import.Kind.EVENTS if any("type" in pair for pair in said["defaults"]) else Import.Kind.ITEMS
        with pytest.raises(FieldRefused) as caught:
            column_mapping.parse_mapping(kind=kind, **said)

        assert [(error.pointer, error.code) for error in caught.value.errors] == [(pointer, code)]

    def test_survives_being_stored(self):
        said = column_mapping.parse_mapping(
            kind=Import.Kind.EVENTS,
            columns=["sku=item_id", "a=b=user_id"],
            defaults=["type=purchase"],
            timezone="UTC",
            time_unit="milliseconds",
            extra="ignore",
            preset="gorse",
        )

        assert ColumnMapping.from_json(said.as_json()) == said
        assert said.columns[1] == ("a=b", "user_id")


class TestHeader:
    @pytest.mark.parametrize(
        ("kind", "names", "said", "why"),
        [
            ("items", ["item_id", "tittle"], {}, r"tittle \(did you mean title\?\)"),
            ("items", ["id", "title"], {}, r"id \(did you mean item_id\?\)"),
            ("items", ["sku", "price"], {}, r"price \(did you mean attributes.price\?\)"),
            ("items", ["title"], {}, "lacks the columns item_id"),
            ("items", ["sku"], {"extra": "ignore"}, "--map sku=item_id"),
            ("events", ["user_id", "item_id"], {}, "default type=view"),
            ("items", ["item_id"], {"columns": ["name=title"]}, "a column 'name', which is not in the header"),
            ("items", [f"c{n}" for n in range(5000)], {}, "5,000 columns"),
            ("events", ["user_id", "item_id", "type"], {"preset": "amazon-personalize"}, r"USER_ID \(user_id\)"),
        ],
    )
    def test_that_does_not_do_says_what_to_do(self, kind, names, said, why):
        with pytest.raises(UnreadableFile, match=why) as caught:
            plan(kind, **said).table(names)

        assert len(str(caught.value)) < 700

    def test_may_hold_what_the_service_exports(self):
        assert row_of(plan(), {"item_id": "a", "created_at": "yesterday", "updated_at": ""}).row == {"item_id": "a"}


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _names(file):
    found = {"items", "productDetails", "objectIDs", "eventSubtype", *file.unused}
    for source in file.fields.values():
        found |= set() if callable(source) else {source} if isinstance(source, str) else set(source)
    return sorted(found | {name.partition(".")[0] for name in found})


@settings(max_examples=30, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize(
    ("name", "kind"), some((preset.name, kind) for preset in PRESETS.values() for kind in preset.files)
)
def test_whatever_a_row_holds_a_preset_reads_or_refuses_it(name, kind, data):
    """Of presets and readers together: no exception but a refusal, and nothing that cannot be stored."""
    which, reader = plan(kind, preset=name), ROW_HANDLERS[Import.Kind(kind)]
    names = st.sampled_from(_names(which.preset)) | st.text(max_size=4)
    for line in which.rows(
        Line(1, data.draw(st.dictionaries(names, VALUES, max_size=6)), cells=data.draw(st.booleans()))
    ):
        if line.row is not None:
            with suppress(FieldRefused):
                reader.read(line.clearing_blanks().row, clock.now(), [])
