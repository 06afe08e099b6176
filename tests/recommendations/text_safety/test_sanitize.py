"""Catalogue texts become one harmless line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommendations.text_safety.sanitize import clean_text, fold


class TestCleanText:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("  Two\n\tlines\r\n ", "Two lines"),
            ("bell\x07 and null\x00", "bell and null"),
            ("over\u202eride", "override"),
            ("zero\u200bwidth", "zerowidth"),
            ("tag\U000e0041\U000e0042s", "tags"),
            ("Amélie", "Amélie"),
            ("e\u0301", "é"),
            ("می\u200cروم", "می\u200cروم"),
            ("👩\u200d🚀", "👩\u200d🚀"),
            ("abcdefghijklmnopqrstuvwxyz", "abcdefghijklmnopqrs…"),
        ],
    )
    def test_keeps_what_people_read(self, text, expected):
        assert clean_text(text, limit=20) == expected

    @given(st.text(), st.integers(min_value=1, max_value=50))
    def test_is_bounded_and_on_one_line(self, text, limit):
        cleaned = clean_text(text, limit=limit)

        assert len(cleaned) <= limit
        assert not set(cleaned) & set("\n\r\t\x00\u2028\u2029\u202e")


class TestFold:
    def test_evens_out_how_a_text_is_written(self):
        assert fold("Ｉｇ\u200bnóre  ALL") == "ignore all"
