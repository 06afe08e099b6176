"""Reading items, end users and events: everything that comes out can be stored, everything else is refused."""

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recommendations.catalog import shapes
from recommendations.catalog.fields import FieldRefused
from recommendations.interactions.event import read_event

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
        assert shapes.read_item({"item_id": "a"}) == {
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
            ("attributes", {"a": None}, "/attributes/a", "bad_attribute"),
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
            ("tittle", "x", "/tittle", "unknown_field"),
        ],
    )
    def test_says_which_field_is_wrong_and_how(self, field, value, pointer, code):
        assert _codes(shapes.read_item, {"item_id": "a", field: value}) == {pointer: code}

    def test_reports_every_mistake_at_once(self):
        assert _codes(shapes.read_item, {"title": 1, "hidden": 2}) == {
            "/item_id": "required",
            "/title": "not_a_string",
            "/hidden": "not_a_boolean",
        }

    def test_refuses_an_end_before_the_beginning(self):
        raw = {"item_id": "a", "available_from": "2026-03-02T00:00:00Z", "available_until": "2026-03-01T00:00:00Z"}

        assert _codes(shapes.read_item, raw) == {"/available_until": "bad_window"}

    def test_accepts_what_was_read_back(self):
        raw = {"item_id": "a", "created_at": "2026-03-02T00:00:00Z", "updated_at": "2026-03-02T00:00:00Z"}

        assert shapes.read_item(raw)["item_id"] == "a"

    def test_takes_offsets_to_utc(self):
        item = shapes.read_item({"item_id": "a", "available_from": "2026-03-01T02:00:00.5+02:00"})

        assert item["available_from"] == datetime(2026, 3, 1, 0, 0, 0, 500_000, tzinfo=UTC)

    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(raw=JSON | st.dictionaries(st.sampled_from([*shapes.ITEM.readers, "other"]), JSON))
    def test_whatever_it_lets_through_the_database_can_hold(self, db, raw):
        try:
            item = shapes.read_item(raw)
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

    def test_is_the_same_event_by_its_id_alone(self):
        one = read_event({**self.BASE, "event_id": "e"}, now=NOW)
        other = read_event({"user_id": "v", "item_id": "j", "type": "like", "event_id": "e"}, now=NOW)

        assert one.digest == other.digest

    @pytest.mark.parametrize(
        "change", [{"user_id": "v"}, {"item_id": "j"}, {"type": "like"}, {"value": 1}, {"occurred_at": 5}]
    )
    def test_is_another_event_when_it_says_something_else(self, change):
        base = {**self.BASE, "occurred_at": 4}

        assert read_event(base, now=NOW).digest != read_event({**base, **change}, now=NOW).digest
