"""Values that a thread makes one ahead."""

import threading

import pytest

from recommendations.imports.read_ahead import read_ahead


def test_keeps_the_order_and_makes_one_ahead_in_another_thread():
    made = []

    def values():
        for number in range(1, 6):
            made.append((number, threading.current_thread()))
            yield number

    with read_ahead(values()) as ahead:
        first = next(ahead)
        rest = list(ahead)

    assert [first, *rest] == [number for number, _ in made] == [1, 2, 3, 4, 5]
    assert {thread for _, thread in made} != {threading.current_thread()}


def test_is_never_more_than_one_ahead_and_ends_its_thread():
    made = []

    def values():
        for number in range(1, 100):
            made.append(number)
            yield number

    with read_ahead(values()) as ahead:
        assert [next(ahead), next(ahead)] == [1, 2]
    assert len(made) <= 3
    assert not [each for each in threading.enumerate() if each.name.startswith("read-ahead")]


def test_raises_errors_in_their_place():
    def values():
        yield 1
        raise ValueError("damaged")

    with read_ahead(values()) as ahead:
        assert next(ahead) == 1
        with pytest.raises(ValueError, match="damaged"):
            next(ahead)
