"""Reading items, end users and events: everything that comes out can be stored, everything else is refused."""

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import FieldError
from recommendations.catalog import schemas
from recommendations.catalog.validators import FieldRefused
from recommendations.interactions.event_schema import read_event

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


def _codes(read, raw):
    with pytest.raises(FieldRefused) as caught:
        read(raw)
    return {error.pointer: error.code for error in caught.value.errors}


class TestReadItem:
    def test_fills_what_was_not_given(self):
        assert schemas.read_item({"item_id": "a"}) == {
            "item_id": "a",
            "title": "",
            "description": "",
            "categories": [],
            "attributes": {},
            "hidden": False,
            "available_from": None,
            "available_until": None,
        }

    @pytest.mark.parametrize(
        ("field", "value", "pointer", "code"),
        [
            ("title", 5, "/title", "not_a_string"),
            ("title", "x" * 501, "/title", "too_long"),
            ("title", "a\x00b", "/title", "bad_character"),
            ("title", "a\ud800", "/title", "bad_character"),
            ("description", "x" * 20_001, "/description", "too_long"),
            ("categories", "Drama", "/categories", "not_a_list"),
            ("categories", ["Drama", ""], "/categories/1", "required"),
            ("categories", ["x" * 129], "/categories/0", "too_long"),
            ("categories", [str(number) for number in range(101)], "/categories", "too_many"),
            ("attributes", [], "/attributes", "not_an_object"),
            ("attributes", {"a": {"b": 1}}, "/attributes/a", "bad_attribute"),
            ("attributes", {"a": math.inf}, "/attributes/a", "not_finite"),
            ("attributes", {"a": 2**53 + 1}, "/attributes/a", "too_large"),
            ("attributes", {"a/b": [1]}, "/attributes/a~1b/0", "not_a_string"),
            ("attributes", {"\x00": 1}, "/attributes", "bad_character"),
            ("attributes", {str(number): 1 for number in range(101)}, "/attributes", "too_many"),
            ("hidden", "true", "/hidden", "not_a_boolean"),
            ("hidden", 1, "/hidden", "not_a_boolean"),
            ("available_from", "2026-03-01", "/available_from", "not_a_timestamp"),
            ("available_from", "2026-03-01T12:00:00", "/available_from", "not_a_timestamp"),
            ("available_from", "2026-02-30T12:00:00Z", "/available_from", "not_a_timestamp"),
            ("available_from", "0001-01-01T00:00:00+14:00", "/available_from", "not_a_timestamp"),
            ("available_from", "0001-01-01T00:00:00Z", "/available_from", "no_time"),
            ("available_until", "0001-01-01T00:00:00Z", "/available_until", "no_time"),
            ("tittle", "x", "/tittle", "unknown_field"),
        ],
    )
    def test_says_which_field_is_wrong_and_how(self, field, value, pointer, code):
        assert _codes(schemas.read_item, {"item_id": "a", field: value}) == {pointer: code}

    def test_an_attribute_that_is_null_or_too_long_is_left_out_and_the_item_kept(self):
        notes: list[FieldError] = []
        long, many = "x" * 1001, [str(number) for number in range(101)]

        item = schemas.read_item(
            {"item_id": "a", "attributes": {"a": None, "b": long, "c": many, "d": [long], "e" * 129: 1, "f": 1}},
            notes=notes,
        )

        assert item["attributes"] == {"f": 1}
        assert [(note.pointer, note.code) for note in notes] == [
            ("/attributes/a", "null_attribute"),
            ("/attributes/b", "too_long"),
            ("/attributes/c", "too_many"),
            ("/attributes/d/0", "too_long"),
            ("/attributes", "bad_name"),
        ]

    def test_reports_every_mistake_at_once(self):
        assert _codes(schemas.read_item, {"title": 1, "hidden": 2}) == {
            "/item_id": "required",
            "/title": "not_a_string",
            "/hidden": "not_a_boolean",
        }

    def test_refuses_an_end_before_the_beginning(self):
        raw = {"item_id": "a", "available_from": "2026-03-02T00:00:00Z", "available_until": "2026-03-01T00:00:00Z"}

        assert _codes(schemas.read_item, raw) == {"/available_until": "bad_window"}

    def test_accepts_what_was_read_back(self):
        raw = {"item_id": "a", "created_at": "2026-03-02T00:00:00Z", "updated_at": "2026-03-02T00:00:00Z"}

        assert schemas.read_item(raw)["item_id"] == "a"

    def test_takes_offsets_to_utc(self):
        item = schemas.read_item({"item_id": "a", "available_from": "2026-03-01T02:00:00.5+02:00"})

        assert item["available_from"] == datetime(2026, 3, 1, 0, 0, 0, 500_000, tzinfo=UTC)

    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(raw=JSON | st.dictionaries(st.sampled_from([*schemas.ITEM.readers, "other"]), JSON))
    def test_whatever_it_lets_through_the_database_can_hold(self, db, raw):
        try:
            item = schemas.read_item(raw)
        except FieldRefused as refused:
            for error in refused.errors:
                json.dumps(error.as_dict()).encode()
                error.pointer.encode()
            return

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT %s::text, %s::text, %s::text[], %s::jsonb",
                [item["title"], item["description"], item["categories"], json.dumps(item["attributes"])],
            )
            assert cursor.fetchone()[0] == item["title"]


class TestReadEvent:
    BASE = {"user_id": "u", "item_id": "i", "type": "view"}

    @pytest.mark.parametrize(
        ("field", "value", "pointer", "code"),
        [
            ("type", "View", "/type", "bad_type"),
            ("type", "", "/type", "bad_type"),
            ("value", True, "/value", "not_a_number"),
            ("value", math.nan, "/value", "not_finite"),
            ("value", math.inf, "/value", "not_finite"),
            ("value", 1e300, "/value", "too_large"),
            ("occurred_at", "yesterday", "/occurred_at", "not_a_timestamp"),
            ("occurred_at", 1_772_366_400_000, "/occurred_at", "in_future"),
            ("occurred_at", 1e300, "/occurred_at", "in_future"),
            ("occurred_at", -1, "/occurred_at", "too_early"),
            ("occurred_at", True, "/occurred_at", "not_a_number"),
            ("event_id", "x" * 129, "/event_id", "too_long"),
            ("recommendation_id", "x" * 65, "/recommendation_id", "too_long"),
            ("context", {"a": {}}, "/context/a", "bad_attribute"),
            ("session", "s", "/session", "unknown_field"),
        ],
    )
    def test_says_which_field_is_wrong_and_how(self, field, value, pointer, code):
        assert _codes(lambda raw: read_event(raw, now=NOW), {**self.BASE, field: value}) == {pointer: code}

    @pytest.mark.parametrize(
        ("value", "code", "said"),
        [
            (45352.354167, "implausible_time", "an Excel date"),
            (19783, "implausible_time", "days since 1970"),
            (474_792, "implausible_time", "hours since 1970"),
            (28_487_520, "implausible_time", "minutes since 1970"),
            (20_240_301, "implausible_time", "YYYYMMDD"),
            (202_403, "implausible_time", "a year and a month"),
            (2024, "implausible_time", "a year"),
            (1, "implausible_time", "not a plausible Unix time"),
            (0, "no_time", "omit the field"),
            (0.0, "no_time", "omit the field"),
            (2_024_030_108, "in_future", "YYYYMMDDhh"),
            (202_403_010_830, "in_future", "a date and time in digits"),
            (20_240_301_083_000, "in_future", "a date and time in digits"),
            (1_709_283_000_000, "in_future", "milliseconds"),
            (1_709_283_000_123_456, "in_future", "microseconds"),
            ("0001-01-01T00:00:00Z", "no_time", "omit the field"),
            ("1899-12-30T00:00:00Z", "no_time", "omit the field"),
            ("1970-01-01T01:00:00+01:00", "no_time", "omit the field"),
        ],
    )
    def test_refuses_what_is_no_plausible_time_and_says_what_it_looks_like(self, value, code, said):
        with pytest.raises(FieldRefused) as caught:
            read_event({**self.BASE, "occurred_at": value}, now=NOW)

        (error,) = caught.value.errors
        assert (error.pointer, error.code) == ("/occurred_at", code)
        assert said in error.detail

    @pytest.mark.parametrize("value", [100_000_000, 828_124_615, 1_709_283_000, "1969-07-20T20:17:00Z"])
    def test_takes_plausible_times(self, value):
        assert read_event({**self.BASE, "occurred_at": value}, now=NOW)

    def test_an_entry_of_the_context_that_is_null_is_left_out(self):
        notes: list[FieldError] = []

        read = read_event({**self.BASE, "context": {"page": None, "device": "tv"}}, now=NOW, notes=notes)

        assert read.context == {"device": "tv"}
        assert [note.pointer for note in notes] == ["/context/page"]

    def test_takes_unix_seconds_and_rfc_3339_alike(self):
        one = read_event({**self.BASE, "occurred_at": 1_772_366_400}, now=NOW)
        other = read_event({**self.BASE, "occurred_at": "2026-03-01T13:00:00+01:00"}, now=NOW)

        assert one == other
        assert one.occurred_at == NOW

    def test_happens_now_unless_said_otherwise(self):
        assert read_event(self.BASE, now=NOW).occurred_at == NOW

    def test_forgives_a_clock_that_is_ahead_by_less_than_a_day(self):
        ahead = (NOW + timedelta(hours=23)).isoformat()

        assert read_event({**self.BASE, "occurred_at": ahead}, now=NOW).occurred_at > NOW


@pytest.mark.parametrize("tag", ["nan.0", "German language", '["de"]', "de_AT.UTF-8", "1"])
def test_a_locale_is_a_language_tag(tag):
    assert _codes(schemas.read_end_user, {"user_id": "a", "locale": tag}) == {"/locale": "not_a_language_tag"}


@pytest.mark.parametrize("tag", ["", "de", "de-AT", "pt_BR", "zh-Hant-TW"])
def test_common_locales_are_taken(tag):
    assert schemas.read_end_user({"user_id": "a", "locale": tag})["locale"] == tag
