"""Quoted text of callers: storable, bounded, and on one line."""

import json
import random

import pytest

from core.errors import FieldError, NotFound
from core.quoting import quoted, quoted_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, 'é' and 日本", "plain, 'é' and 日本"),
        ("a\x00b", "a\\x00b"),
        ("a\nb\tc\x1b[31m", "a\\x0ab\\x09c\\x1b[31m"),
        ("\ud800x", "\\ud800x"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2028b\ufeff", "a\\u2028b\\ufeff"),
        ("👩‍🚀", "👩‍🚀"),
    ],
)
def test_what_cannot_be_stored_or_shown_is_escaped(text, shown):
    assert quoted(text) == shown
    assert quoted(shown) == shown


def test_lines_stay_where_they_may():
    assert quoted_lines("a\n\tb\x00", 100) == "a\n\tb\\x00"


@pytest.mark.parametrize("limit", [0, 1, 3, 10, 100])
def test_is_never_longer_than_it_may_be(limit):
    for text in ("x" * 1000, "\x00" * 1000, "\ud800" * limit, "ab"):
        assert len(quoted(text, limit)) <= limit


def test_any_text_comes_out_as_utf_8_without_controls():
    draw = random.Random(7)
    for _ in range(2000):
        text = "".join(chr(draw.randrange(0x11000)) for _ in range(draw.randrange(40)))
        shown = quoted(text)
        shown.encode()
        assert "\x00" not in json.loads(json.dumps(shown))
        assert not any(ord(sign) < 32 for sign in shown)


def test_refusals_quote_their_input_safely_wherever_they_are_made():
    error = FieldError("/a\x00\ud800" + "x" * 1000, "unknown_field", "no \x00 " + "y" * 5000)
    refusal = NotFound("there is no \x00\ud800")

    assert (len(error.pointer), len(error.detail)) == (300, 1000)
    assert str(refusal) == refusal.detail == "there is no \\x00\\ud800"
    json.dumps(error.as_dict(), ensure_ascii=False).encode()
