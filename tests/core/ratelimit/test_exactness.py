"""The limit is exact: among threads, among processes, and over time."""

import threading
import time

import pytest

from core.ratelimit import Outcome, RateLimit, keys
from tests.core.ratelimit.calls import ACME, ask, know_revocations, limits


@pytest.fixture(autouse=True)
def _ready(redis_server):
    know_revocations()


@pytest.mark.slow
def test_eight_clients_on_two_processes_get_exactly_the_limit(hammer):
    started = time.monotonic()
    reports = hammer(processes=2, threads=4, calls=400, count=100, window=3600)
    refill = (time.monotonic() - started) * 100 / 3600

    total = sum(sum(report["outcomes"].values()) for report in reports)
    accepted = sum(report["outcomes"].get("redis:admitted", 0) for report in reports)
    refused = sum(report["outcomes"].get("redis:rate_limited", 0) for report in reports)
    assert total == accepted + refused == 3200
    assert 100 <= accepted <= 100 + refill


def test_read_then_write_would_not_be_exact(redis_server):
    """Shows the need for the script: the same count with a GET and a SET lets more through."""
    accepted = []

    def naive() -> None:
        for _ in range(200):
            used = int(redis_server.get("naive") or 0)
            if used < 100:
                redis_server.set("naive", used + 1)
                accepted.append(1)

    threads = [threading.Thread(target=naive) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(accepted) > 100


def test_what_comes_back_follows_the_formula():
    fast = limits(RateLimit("read", count=20, window_seconds=1, burst=20))
    started = time.monotonic()
    accepted = 20 if ask(limits=fast, cost=20).allowed else 0
    begun = time.monotonic()
    while time.monotonic() - started < 0.7:
        accepted += ask(limits=fast).allowed
    most, least = 20 + 20 * (time.monotonic() - started), 20 + 20 * (started + 0.7 - begun)

    assert least - 2 <= accepted <= most


def test_thirds_of_a_second_do_not_add_up_to_an_extra_request():
    """With an interval that no double holds exactly, the burst is still exact."""
    thirds = limits(RateLimit("read", count=7, window_seconds=86_400, burst=7))

    outcomes = [ask(limits=thirds).allowed for _ in range(10)]

    assert outcomes == [True] * 7 + [False] * 3


def test_fractions_of_a_microsecond_are_not_lost(redis_server):
    """Rounded to whole ones, or to the fourteen digits that Lua prints by itself, a fast limit would drift."""
    thirds = limits(RateLimit("read", count=3_000_000, window_seconds=1_000_000, burst=100))
    ask(limits=thirds)
    first = float(redis_server.get(keys.rate(ACME, "read")))

    for _ in range(30):
        ask(limits=thirds)

    assert float(redis_server.get(keys.rate(ACME, "read"))) - first == pytest.approx(10_000_000, abs=0.1)


def test_remaining_falls_by_one_and_never_rises_while_spending():
    left = [int(ask().headers["RateLimit"].split("r=")[1].split(";")[0]) for _ in range(102)]

    assert left == [*range(99, -1, -1), 0, 0]


def test_the_next_call_after_retry_after_succeeds():
    one_a_second = limits(RateLimit("read", count=60, window_seconds=60, burst=2))
    assert ask(limits=one_a_second).allowed
    assert ask(limits=one_a_second).allowed

    refused = ask(limits=one_a_second)
    assert refused.outcome is Outcome.RATE_LIMITED
    assert refused.retry_after_seconds == 1
    assert not ask(limits=one_a_second).allowed
    time.sleep(refused.retry_after_seconds)

    assert ask(limits=one_a_second).allowed


def test_retry_after_counts_the_whole_batch():
    slow = limits(RateLimit("read", count=10, window_seconds=10_000, burst=10))
    ask(limits=slow, cost=10)

    assert ask(limits=slow, cost=1).retry_after_seconds == 1000
    assert ask(limits=slow, cost=3).retry_after_seconds == 3000
