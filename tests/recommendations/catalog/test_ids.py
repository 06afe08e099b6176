"""External ids: what may be one, and what is said of others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.catalog import ids

ALLOWED = "ABCXYZabcxyz0189.-_~:@+=,!$'()*"


class TestRefusal:
    @given(st.text(ALLOWED, min_size=1, max_size=128).filter(lambda text: text not in ids.RESERVED))
    def test_accepts_every_allowed_id(self, value):
        assert ids.refusal(value, "/item_id") is None

    @given(st.text(ALLOWED, max_size=20), st.characters(), st.text(ALLOWED, max_size=20))
    def test_names_field_character_and_position_of_a_bad_character(self, before, bad, after):
        if bad in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_~:@+=,!$'()*":
            return

        error = ids.refusal(before + bad + after, "/item_id")

        assert error is not None
        assert (error.pointer, error.code) == ("/item_id", "bad_character")
        assert error.detail.startswith(f"Character {len(before) + 1} ")
        error.detail.encode()

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
            ("a/b", "bad_character"),
            ("a\n", "bad_character"),
            ("é", "bad_character"),
        ],
    )
    def test_gives_each_mistake_its_code(self, value, code):
        error = ids.refusal(value, "/user_id")

        assert error is not None
        assert error.code == code

    def test_names_what_cannot_be_seen(self):
        assert "a blank" in str(ids.refusal("a b", ""))
        assert "U+0000" in str(ids.refusal("a\x00", ""))
