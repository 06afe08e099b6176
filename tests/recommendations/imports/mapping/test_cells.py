"""Values of cells and of JSON: text, numbers, times, lists, and blanks."""

import pytest

from core import clock
from recommendations.catalog.merging import Changes
from recommendations.catalog.validators import FieldRefused
from recommendations.imports.formats.rows import Line
from recommendations.imports.models import Import
from recommendations.imports.row_handlers import ROW_HANDLERS
from tests.recommendations.imports.mapping.mapped_rows import codes, plan, row_of


class TestCells:
    @pytest.mark.parametrize(
        ("kind", "column", "cell", "value"),
        [
            ("items", "categories", "Drama | Comedy|", ["Drama", "Comedy"]),
            ("items", "categories", '["Drama","Comedy"]', ["Drama", "Comedy"]),
            ("items", "categories", "[]", []),
            ("items", "categories", "Drama|nan", ["Drama"]),
            ("items", "attributes", '{"year": 1985}', {"year": 1985}),
            ("items", "hidden", "TRUE", True),
            ("items", "hidden", "0", False),
            ("users", "segments", '["a"]', ["a"]),
            ("events", "value", "-1e3", -1000.0),
            ("events", "occurred_at", "964982703", 964982703.0),
            ("events", "occurred_at", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("events", "occurred_at", "2026-03-01 08:30+01", "2026-03-01T08:30:00+01:00"),
            ("events", "occurred_at", "2026-03-01 08:30:00 +0000 UTC", "2026-03-01T08:30:00+00:00"),
            ("events", "occurred_at", "2026-03-01 08:30:00.5 UTC", "2026-03-01T08:30:00.5Z"),
            ("events", "type", "Purchase", "purchase"),
        ],
    )
    def test_are_read_by_their_field(self, kind, column, cell, value):
        required = {"item_id": "a", "user_id": "u", "type": "view"} if kind == "events" else {f"{kind[:-1]}_id": "a"}

        assert row_of(plan(kind), {**required, column: cell}).row[column] == value

    @pytest.mark.parametrize(
        ("column", "cell", "code", "said"),
        [
            ("attributes", "{year}", "bad_cell", "attributes.price"),
            ("attributes", "[" * 5000, "bad_cell", "JSON object"),
            ("hidden", "maybe", "bad_cell", "true or false"),
            ("categories", "['Drama', 'Comedy']", "bad_cell", r"separate entries by |"),
            ("categories", "{Drama,Comedy}", "bad_cell", r"separate entries by |"),
            ("available_from", "45352.35", "implausible_time", "Excel"),
            ("available_from", "2026-03-01 08:30:00", "naive_time", "--timezone"),
            ("available_from", "2026-03-01", "naive_time", "timezone="),
            ("available_from", "01.03.2026", "not_a_timestamp", "Day and month"),
        ],
    )
    def test_that_cannot_be_read_say_why(self, column, cell, code, said):
        line = row_of(plan(), {"item_id": "a", column: cell})

        assert codes(line) == [(f"/{column}", code)]
        assert said in line.errors[0].detail

    @pytest.mark.parametrize("cell", ["four", "1_0", "inf", "Infinity", "1e999", "4,5"])
    def test_a_value_is_a_number(self, cell):
        line = row_of(plan("events"), {"item_id": "a", "user_id": "u", "type": "view", "value": cell})

        assert codes(line) == [("/value", "bad_cell")]

    @pytest.mark.parametrize("cell", ["", "  ", "nan", "NaN", "None", "null", "NULL", "\\N", "<NA>"])
    def test_that_say_nothing_are_blank(self, cell):
        line = row_of(plan(), {"item_id": "a", "title": cell, "categories": cell, "attributes.price": cell})

        assert line.row == {"item_id": "a"}
        assert line.blank == {"title", "categories", "attributes.price"}
        assert line.clearing_blanks().row == {
            "item_id": "a",
            "title": None,
            "categories": None,
            "attributes": Changes(price=None),
        }

    def test_an_id_that_says_nothing_is_missing(self):
        assert "item_id" not in row_of(plan(), {"item_id": "nan", "title": "x"}).row

    @pytest.mark.parametrize(
        ("cell", "value"),
        [
            ("12", 12),
            ("12.50", 12.5),
            ("-3", -3),
            ("007", "007"),
            ("1e5", "1e5"),
            ("12345678901234567890", "12345678901234567890"),
            ("true", True),
            ("No", "No"),
            ('["a"]', ["a"]),
            ("[a]", "[a]"),
            ("a|b", "a|b"),
        ],
    )
    def test_an_attribute_is_what_it_looks_like(self, cell, value):
        line = row_of(plan(), {"item_id": "a", "attributes.x": cell})

        assert line.row["attributes"] == {"x": value}
        assert type(line.row["attributes"]["x"]) is type(value)


class TestJson:
    def test_numbers_in_texts_are_numbers(self):
        raw = {"user_id": "u", "item_id": "i", "type": "View", "value": "4.5", "occurred_at": "1709283000"}

        (line,) = plan("events").rows(Line(1, raw))

        assert (line.row["value"], line.row["occurred_at"], line.row["type"]) == (4.5, 1709283000.0, "view")

    def test_null_empties_and_a_key_that_is_not_there_does_not(self):
        (line,) = plan().rows(Line(1, {"item_id": "a", "title": None, "attributes.price": 3}))

        assert line.row == {"item_id": "a", "title": None, "attributes": Changes(price=3)}

    def test_a_whole_number_beyond_every_double_is_no_time(self):
        (line,) = plan("events").rows(Line(1, {"user_id": "u", "item_id": "i", "type": "view", "occurred_at": 10**400}))

        with pytest.raises(FieldRefused):
            ROW_HANDLERS[Import.Kind.EVENTS].read(line.row, clock.now(), [])

    def test_an_unknown_key_is_told_with_what_it_may_be(self):
        (line,) = plan().rows(Line(1, {"item_id": "a", "name": "x"}))

        assert codes(line) == [("/name", "unknown_field")]
        assert "Did you mean title?" in line.errors[0].detail
