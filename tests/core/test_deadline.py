"""One deadline for each request."""

import threading
import time

import pytest

from core import deadline
from core.deadline import DeadlineExceeded
from core.errors import Unavailable


def left() -> float:
    """Seconds that are left of the deadline that is open."""
    found = deadline.remaining()
    assert found is not None
    return found


class TestWithin:
    def test_outside_there_is_none(self):
        assert deadline.remaining() is None
        assert deadline.cap_timeout(3.0) == 3.0
        deadline.check()

    def test_what_is_left_becomes_less(self):
        with deadline.within(5):
            first = left()
            time.sleep(0.02)
            second = left()

        assert 4.5 < second < first <= 5
        assert deadline.remaining() is None

    def test_the_earlier_of_two_counts(self):
        with deadline.within(1):
            with deadline.within(60):
                assert left() <= 1
            with deadline.within(0.1):
                assert left() <= 0.1
            assert left() > 0.5

    def test_the_time_before_counts_where_it_is_said(self):
        with deadline.within(10, since=time.monotonic() - 9):
            assert left() < 1.1

    def test_after_it_the_check_refuses_as_something_that_is_away(self):
        with deadline.within(0), pytest.raises(DeadlineExceeded, match="longer than 0 seconds") as refusal:
            deadline.check()

        assert isinstance(refusal.value, Unavailable)
        assert refusal.value.retry_after_seconds

    def test_a_time_limit_for_somebody_else_is_never_longer_than_what_is_left(self):
        with deadline.within(1):
            assert deadline.cap_timeout(30) <= 1
            assert deadline.cap_timeout(0.2) == 0.2

    def test_another_thread_has_its_own(self):
        seen = []
        with deadline.within(1):
            thread = threading.Thread(target=lambda: seen.append(deadline.remaining()))
            thread.start()
            thread.join()

        assert seen == [None]


class TestPaused:
    def test_what_passes_inside_is_not_counted(self):
        with deadline.within(1):
            with deadline.paused():
                time.sleep(0.2)
            assert left() > 0.9


class TestEach:
    def test_every_part_has_its_own_time(self):
        def made():
            for number in range(3):
                time.sleep(0.05)
                deadline.check()
                yield number

        assert list(deadline.limit_each(made(), seconds=0.1)) == [0, 1, 2]

    def test_a_part_that_takes_too_long_is_the_last(self):
        def made():
            yield 1
            time.sleep(0.05)
            deadline.check()
            yield 2

        seen: list[int] = []
        with pytest.raises(DeadlineExceeded):
            seen.extend(deadline.limit_each(made(), seconds=0.02))

        assert deadline.remaining() is None
