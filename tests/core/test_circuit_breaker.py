"""The breaker, by a clock of its own."""

import threading

import pytest

from core.circuit_breaker import Breaker


class Clock:
    """Monotonic seconds that stand still."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened():
    return []


@pytest.fixture
def breaker(clock, opened):
    return Breaker(timer=clock, on_open=lambda: opened.append(clock.now))


def fail(breaker, times):
    for _ in range(times):
        breaker.record_failure()


class TestBreaker:
    def test_stays_closed_below_its_threshold(self, breaker, opened):
        fail(breaker, 2)

        assert breaker.allows()
        assert opened == []

    def test_counts_failures_in_a_row_only(self, breaker):
        fail(breaker, 2)
        breaker.record_success()
        fail(breaker, 2)

        assert breaker.allows()

    def test_opens_after_three_and_says_so_once(self, breaker, opened):
        fail(breaker, 5)

        assert not breaker.allows()
        assert opened == [100.0]

    def test_allows_one_probe_a_second_while_open(self, breaker, clock):
        fail(breaker, 3)
        allowed = []
        for step in range(40):  # four seconds, ten callers in each
            clock.now = 100.0 + step / 10
            allowed.append(breaker.allows())
            if allowed[-1]:
                breaker.record_failure()

        assert sum(allowed) == 3

    def test_closes_for_all_when_the_probe_succeeds(self, breaker, clock):
        fail(breaker, 3)
        clock.now += 1.0

        assert breaker.allows()
        breaker.record_success()

        assert breaker.allows()
        assert breaker.allows()

    def test_lets_one_of_many_threads_through(self, breaker, clock):
        fail(breaker, 3)
        clock.now += 1.0
        start, allowed = threading.Barrier(8), []

        def ask() -> None:
            start.wait()
            allowed.append(breaker.allows())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(allowed) == 1
