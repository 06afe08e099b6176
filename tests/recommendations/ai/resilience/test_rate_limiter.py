"""Under the vendor's limits, over all processes, and never longer than the deadline allows."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from core import redis
from recommendations.ai.protocol import ProviderError
from recommendations.ai.resilience.rate_limiter import BURST_SHARE, PROCESS_SHARE, RateLimiter, RateLimits, _book
from recommendations.ai.resilience.shared_state import StateView, Value


def _rate_limiter(**limits) -> RateLimiter:
    return RateLimiter(provider="p", model="m", limits=RateLimits(**limits))


def _passed(rate_limiter: RateLimiter, count: int, *, tokens: int = 1) -> int:
    passed, refused = 0, None
    for _ in range(count):
        try:
            with rate_limiter.slot(tokens=tokens, wait_seconds=0, call_seconds=1):
                passed += 1
        except ProviderError as error:
            refused = error
    assert refused is None or refused.reason == "throttled"
    return passed


class TestRates:
    def test_lets_a_burst_pass_and_refuses_at_once_what_cannot_wait(self, redis_server):
        rate_limiter = _rate_limiter(requests_per_minute=50)

        started = time.monotonic()

        assert _passed(rate_limiter, 50) == 50 * BURST_SHARE
        assert time.monotonic() - started < 1

    def test_counts_tokens_by_what_is_reserved(self, redis_server):
        assert _passed(_rate_limiter(tokens_per_minute=10_000), 10, tokens=500) == 4

    def test_waits_for_its_turn_where_the_deadline_allows(self, redis_server):
        rate_limiter = _rate_limiter(requests_per_minute=600)  # 120 at once, then one each 0.125 s
        started = time.monotonic()
        assert _passed(rate_limiter, 120) == 120
        spent = time.monotonic()

        for _ in range(2):
            with rate_limiter.slot(tokens=1, wait_seconds=2, call_seconds=1):
                pass

        assert time.monotonic() - started > 0.2  # turns come back while the burst lasts
        assert time.monotonic() - spent < 0.6

    def test_never_waits_beyond_the_deadline(self, redis_server):
        rate_limiter = _rate_limiter(requests_per_minute=5)
        assert _passed(rate_limiter, 1) == 1
        started = time.monotonic()

        with (
            pytest.raises(ProviderError, match="our own limits"),
            rate_limiter.slot(tokens=1, wait_seconds=0.3, call_seconds=1),
        ):
            pass

        assert time.monotonic() - started < 0.2  # it knows at once

    @pytest.mark.parametrize(("per_minute", "amount"), [(100, 1), (60_000, 5_000), (60_000, 30_000)])
    def test_keeps_any_minute_within_the_limit(self, per_minute, amount):
        """Simulated over five minutes, with a caller who asks again every tenth of a second."""
        limits = RateLimits(tokens_per_minute=per_minute)
        value: Value = {}
        passed: list[float] = []
        for tenth in range(3000):
            now = 1_000 + tenth / 10
            view = StateView(value=value, now=now, shared=True)
            after, turn = _book(view, limits=limits, token="", tokens=amount, patience=0, call_seconds=1)
            if turn.wait is not None and after is not None:
                value = after
                passed.append(now)

        busiest = max(sum(amount for at in passed if start <= at < start + 60) for start in passed)
        assert 0.7 * per_minute <= busiest <= max(per_minute, (1 - BURST_SHARE) * per_minute + amount)

    def test_refuses_for_good_what_no_minute_can_hold(self, redis_server):
        with (
            pytest.raises(ProviderError, match="AI_TOKENS_PER_MINUTE is 100"),
            _rate_limiter(tokens_per_minute=100).slot(tokens=101, wait_seconds=60, call_seconds=1),
        ):
            pass


class TestConcurrency:
    @pytest.mark.parametrize(("where", "allowed"), [("redis_server", 8), ("redis_away", int(8 * PROCESS_SHARE))])
    def test_lets_so_many_run_at_once(self, request, where, allowed):
        request.getfixturevalue(where)
        rate_limiter = _rate_limiter(concurrency=8)
        lock, full, running, most = threading.Lock(), threading.Event(), 0, 0

        def call(_):
            nonlocal running, most
            with rate_limiter.slot(tokens=1, wait_seconds=30, call_seconds=20):
                with lock:
                    running += 1
                    most = max(most, running)
                    if running == allowed:
                        full.set()
                full.wait(10)  # threads of a busy machine start one after the other
                time.sleep(0.02)
                with lock:
                    running -= 1

        with ThreadPoolExecutor(24) as pool:
            list(pool.map(call, range(48)))

        assert most == allowed

    def test_gives_up_when_nobody_leaves_in_time(self, redis_server):
        rate_limiter = _rate_limiter(concurrency=1)

        with (
            rate_limiter.slot(tokens=1, wait_seconds=0, call_seconds=5),
            pytest.raises(ProviderError),
            rate_limiter.slot(tokens=1, wait_seconds=0.1, call_seconds=1),
        ):
            pass

    def test_a_dead_callers_lease_ends(self):
        limits = RateLimits(concurrency=1)
        held, _ = _book(
            StateView(value={}, now=10.0, shared=True),
            limits=limits,
            token="dead",
            tokens=1,
            patience=0,
            call_seconds=2,
        )

        def at(now):
            view = StateView(value=held or {}, now=now, shared=True)
            return _book(view, limits=limits, token="next", tokens=1, patience=0, call_seconds=2)[1]

        assert at(12.9).full
        assert at(13.1).wait == 0


class TestWithoutLimits:
    def test_asks_nobody(self, monkeypatch):
        monkeypatch.setattr(redis, "call", lambda *_: pytest.fail("Redis was asked"))

        assert _passed(_rate_limiter(), 3) == 3
