"""External ids: what may be one, and what is said of others."""

import re
import unicodedata
from urllib.parse import unquote

import pytest
from django.urls import URLPattern, get_resolver
from hypothesis import given
from hypothesis import strategies as st

from core import external_ids
from tests.ids import REAL, unicode_ids

_AFTER_AN_ID = re.compile(r"<\w+:(?:item|user)_id>/([\w-]+)\Z")


class TestRefusal:
    @given(unicode_ids())
    def test_accepts_every_text_without_control_characters_and_outer_white_space(self, value):
        assert external_ids.find_error(value, "/item_id") is None
        assert re.search(external_ids.PATTERN, value)

    @pytest.mark.parametrize("value", REAL)
    def test_accepts_what_other_systems_call_their_users_and_items(self, value):
        assert external_ids.find_error(value, "/item_id") is None
        assert re.search(external_ids.PATTERN, value)

    @given(unicode_ids(longest=20), st.characters(categories=["Cc", "Cs"]), unicode_ids(longest=20))
    def test_names_field_character_and_position_of_a_bad_character(self, before, bad, after):
        error = external_ids.find_error(before + bad + after, "/item_id")

        assert error is not None
        assert (error.pointer, error.code) == ("/item_id", "bad_character")
        assert error.detail.startswith(f"Character {len(before) + 1} of the id is U+{ord(bad):04X}")
        assert not re.search(external_ids.PATTERN, before + bad + after) or unicodedata.category(bad) == "Cs"

    @pytest.mark.parametrize(
        ("value", "code"),
        [
            ("", "required"),
            (".", "reserved_id"),
            ("..", "reserved_id"),
            ("batch", "reserved_id"),
            ("a" * 129, "too_long"),
            (7, "not_a_string"),
            (None, "not_a_string"),
            ("a\n", "bad_character"),
            ("a\x85b", "bad_character"),
            ("a\x7fb", "bad_character"),
            ("\ud83da", "bad_character"),
            (" a", "surrounding_space"),
            ("a ", "surrounding_space"),
            ("a\u00a0", "surrounding_space"),
            ("\u3000a", "surrounding_space"),
            ("\ufeffa", "surrounding_space"),
            ("a/similar", "reserved_id"),
            ("a/b/recommendations", "reserved_id"),
            ("/export", "reserved_id"),
        ],
    )
    def test_gives_each_mistake_its_code(self, value, code):
        error = external_ids.find_error(value, "/user_id")

        assert error is not None
        assert error.code == code

    def test_counts_characters_not_bytes(self):
        assert external_ids.find_error("𝔘" * 128, "") is None
        assert external_ids.find_error("𝔘" * 129, "").code == "too_long"  # type: ignore[union-attr]

    @pytest.mark.parametrize("value", ["similar", "recommendations", "a/similar/", "a/similarly", "export.csv", "/"])
    def test_allows_the_names_of_sub_resources_where_they_cannot_be_taken_for_one(self, value):
        assert external_ids.find_error(value, "") is None

    def test_names_what_cannot_be_seen(self):
        assert "a blank" in str(external_ids.find_error("b ", ""))
        assert "U+0000" in str(external_ids.find_error("a\x00", ""))
        assert "byte order mark" in str(external_ids.find_error("\ufeffa", ""))


class TestSubResources:
    def test_are_those_of_the_routes(self):
        found = set()

        def walk(patterns, before=""):
            for each in patterns:
                route = before + str(each.pattern)
                if isinstance(each, URLPattern):
                    found.update(_AFTER_AN_ID.findall(route))
                else:
                    walk(each.url_patterns, route)

        walk(get_resolver().url_patterns)

        assert found == external_ids.SUB_RESOURCES


class TestMistake:
    @pytest.mark.parametrize(
        "value",
        [
            *("null", "undefined", "NaN", "None", "[object Object]", "NULL", "(null)", "anonymous"),
            *("{{user_id}}", "{{ user.id }}", "${userId}", "{userId}", "<%= user.id %>", "%s", ":user_id"),
            "00000000-0000-0000-0000-000000000000",
        ],
    )
    def test_knows_variables_that_hold_nothing(self, value):
        error = external_ids.find_placeholder(value, "/from")

        assert error is not None
        assert (error.pointer, error.code) == ("/from", "suspicious_id")

    @pytest.mark.parametrize("value", [*REAL, "0", "1", "nullable", "None Smith", "undefined-7", "a{b}", "{a: 1}"])
    def test_leaves_others_alone(self, value):
        assert external_ids.find_placeholder(value, "") is None


class TestShown:
    def test_escapes_what_cannot_be_seen_or_turns_others_around(self):
        assert external_ids.printable("a\u202eb\u200bc 用户") == "a\\u{202E}b\\u{200B}c 用户"

    @given(unicode_ids())
    def test_in_path_is_one_segment(self, value):
        segment = external_ids.path_segment(value)

        assert re.fullmatch(r"[A-Za-z0-9._~%-]+", segment)
        assert unquote(segment) == value
