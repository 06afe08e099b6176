"""Equality of requests."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.idempotency.keys import PATTERN, KeyRefused, fingerprint, read_key

BASE: dict[str, Any] = {"method": "POST", "path": "/items", "query": "a=1&b=2", "body": b'{"x":1}'}


class TestReadKey:
    @pytest.mark.parametrize(
        ("header", "key"),
        [
            ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
            ('"8e03978e"', "8e03978e"),
            (r'"a\"b\\c"', r"a\"b\\c".replace("\\", "", 1).replace("\\\\", "\\")),
            ("  padded\t", "padded"),
            ("with space", "with space"),
            ("x" * 255, "x" * 255),
            (f'"{"x" * 255}"', "x" * 255),
        ],
    )
    def test_reads_bare_and_quoted(self, header, key):
        assert read_key(header) == key

    @pytest.mark.parametrize(
        ("header", "said"),
        [
            ("", "empty"),
            ("   ", "empty"),
            ('""', "empty"),
            ("x" * 256, "256 characters"),
            (f'"{"x" * 256}"', "256 characters"),
            ('"open', "structured string"),
            ('"a";p=1', "structured string"),
            (r'"a\b"', "structured string"),
            ("clé", "printable ASCII"),
            ("a\tb", "printable ASCII"),
            ("a\n", "printable ASCII"),
        ],
    )
    def test_refuses_and_says_why(self, header, said):
        with pytest.raises(KeyRefused, match=said):
            read_key(header)

    @given(st.text(alphabet='ab "\\~\x7f\té', max_size=6) | st.text(alphabet='a"', min_size=252, max_size=259))
    def test_the_documented_pattern_is_what_is_read(self, header):
        header = header.strip(" \t")  # servers strip a header's value before anybody sees it
        try:
            read_key(header)
        except KeyRefused:
            assert not re.search(PATTERN, header)
        else:
            assert re.search(PATTERN, header)


class TestFingerprint:
    def test_is_the_same_for_the_same_request(self):
        assert fingerprint(**BASE) == fingerprint(**BASE)
        assert len(fingerprint(**BASE)) == 32

    @pytest.mark.parametrize("query", ["b=2&a=1", "a=%31&b=2"])
    def test_order_and_encoding_of_the_query_are_no_difference(self, query):
        assert fingerprint(**{**BASE, "query": query}) == fingerprint(**BASE)

    @pytest.mark.parametrize(
        "other",
        [
            {"method": "PUT"},
            {"path": "/items/"},
            {"query": "a=1&b=3"},
            {"query": "a=1&b=2&c="},
            {"query": ""},
            {"query": "a=1&b=2%ff"},
            {"query": "a=1&b=2&b=2"},
            {"body": b'{"x": 1}'},
            {"body": b""},
            {"path": "/itemsa", "query": "1=b&2="},
        ],
    )
    def test_differs_for_another_request(self, other):
        assert fingerprint(**{**BASE, **other}) != fingerprint(**BASE)

    def test_bytes_that_are_not_utf_8_are_told_apart(self):
        assert fingerprint(**{**BASE, "query": "a=%ff"}) != fingerprint(**{**BASE, "query": "a=%fe"})

    def test_parts_cannot_run_into_each_other(self):
        assert fingerprint(method="P", path="ab", query="", body=b"c") != fingerprint(
            method="P", path="a", query="", body=b"bc"
        )
