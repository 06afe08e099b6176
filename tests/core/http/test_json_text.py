"""JSON bodies: what they may hold, and that none is read in two ways or costs more than its size allows."""

import json
import time
import tracemalloc

import pytest

from core.http.json_text import MAX_DEPTH, BadJSON, BodyTooLarge, Bounds, parse

MIB = 1024 * 1024
BATCH = Bounds.for_body_size(5 * MIB)


def filled(unit: bytes, size: int) -> bytes:
    """A list of as many units as fit."""
    return b"[" + b",".join([unit] * ((size - 2) // (len(unit) + 1))) + b"]"


class TestReading:
    @pytest.mark.parametrize("value", [{}, [], "ü{[,:", 1, -1.5, True, None, {"a": [{"b": '\\"}]'}]}, 10**399])
    def test_gives_the_value(self, value):
        assert parse(json.dumps(value).encode(), BATCH) == value

    def test_passes_over_a_byte_order_mark(self):
        assert parse(b"\xef\xbb\xbf" + b'{"a": 1}', BATCH) == {"a": 1}

    def test_texts_full_of_commas_and_brackets_are_no_values(self):
        text = "[{," * (MIB // 3)

        assert parse(json.dumps([text]).encode(), BATCH) == [text]

    def test_a_text_full_of_escaped_quotes_is_no_values(self):
        text = '"\\[' * 100_000

        assert parse(json.dumps([text] * 30).encode(), BATCH)[29] == text

    def test_a_full_batch_is_taken(self):
        rows = [{"item_id": str(n), "attributes": {f"a{m}": m for m in range(100)}} for n in range(1000)]

        assert len(parse(json.dumps({"items": rows}).encode(), BATCH)["items"]) == 1000


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (b"", "Expecting value: line 1, column 1"),
            (b'{"a": }', "Expecting value: line 1, column 7"),
            (b"\xff\xfe{\x00}\x00", "UTF-16"),
            (b"\xfe\xff\x00{\x00}", "UTF-16"),
            (b'{"a": "\xe4"}', "byte 8 is 0xe4"),
            (b'{"a": NaN}', "NaN is not JSON"),
            (b"[Infinity]", "Infinity is not JSON"),
            (b"[-Infinity]", "-Infinity is not JSON"),
            (b"1" * 5000, "5,000 digits"),
            (b'{"a": 1, "b": 2, "a": 3}', '"a" more than once'),
            (b'[{"x": {"\\ud800": 1, "\\ud800": 1}}]', '"\\ud800" more than once'),
            (b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1), "nested too deeply"),
            (b"[" * 100_000, "nested too deeply"),
            (b'["' + b'\\"' * 100_000, "Unterminated"),
        ],
    )
    def test_say_what_is_wrong(self, body, told):
        with pytest.raises((BadJSON, BodyTooLarge)) as refused:
            parse(body, BATCH)

        assert told in refused.value.detail

    @pytest.mark.parametrize("unit", [b'{"":0}', b"[]", b"{}", b"0", b'""', b"[[]]", b'{"a":{}}'])
    def test_a_body_of_many_small_values_costs_no_more_than_its_bytes(self, unit):
        body, bounds = filled(unit, MIB), Bounds.for_body_size(MIB)
        tracemalloc.start()
        started = time.thread_time()
        try:
            with pytest.raises(BodyTooLarge, match="Send it in parts"):
                parse(body, bounds)
            took, (_, peak) = time.thread_time() - started, tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 4 * len(body)
        assert took < 1.0

    @pytest.mark.parametrize("unit", [b'"\\', b'\\"', b'"', b'["\\"', b"\\"])
    def test_no_text_makes_the_count_look_twice(self, unit):
        body = b"[" * 30 + unit * (MIB // len(unit))
        started = time.thread_time()
        with pytest.raises((BadJSON, BodyTooLarge)):
            parse(body, BATCH)

        assert time.thread_time() - started < 1.0

    def test_as_much_as_is_taken_stays_small(self):
        unit = b'{"":0}'
        body = b"[" + b",".join([unit] * (BATCH.containers - 1)) + b"]"
        tracemalloc.start()
        try:
            assert len(parse(body, BATCH)) == BATCH.containers - 1
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert peak < 25 * MIB
