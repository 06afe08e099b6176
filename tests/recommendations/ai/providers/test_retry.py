"""Retries of calls, and failures that are returned to the caller at once."""

import time
from collections.abc import Callable

import pytest
from tenacity import RetryCallState, Retrying

from recommendations.ai.protocol import ProviderError
from recommendations.ai.providers.retry import RetryingProvider, RetryPolicy

QUICK = RetryPolicy(base_seconds=0.02, useful_seconds=0.05)


@pytest.fixture
def retrying(openai_provider) -> Callable[..., RetryingProvider]:
    return lambda policy=QUICK: RetryingProvider(openai_provider, policy=policy)


class TestRetryingProvider:
    @pytest.mark.parametrize("kind", ["server_error", "connection_reset"])
    def test_succeeds_after_failures_that_pass(self, retrying, question, openai_simulator, kind):
        openai_simulator.fault(kind, count=2)

        answer = retrying().complete(question, deadline_seconds=5)

        assert answer.attempts == 3
        assert openai_simulator.calls() == 3

    def test_gives_up_after_its_attempts(self, retrying, question, openai_simulator):
        openai_simulator.fault("server_error")

        with pytest.raises(ProviderError, match="500"):
            retrying().complete(question, deadline_seconds=5)

        assert openai_simulator.calls() == 3

    @pytest.mark.parametrize(
        "kind", ["insufficient_quota", "unauthorized", "bad_request", "garbage", "truncated", "refusal"]
    )
    def test_never_repeats_what_cannot_help_or_was_paid_for(self, retrying, question, openai_simulator, kind):
        openai_simulator.fault(kind)

        with pytest.raises(ProviderError):
            retrying().complete(question, deadline_seconds=5)

        assert openai_simulator.calls() == 1

    def test_waits_as_long_as_the_server_asks(self, retrying, question, openai_simulator):
        openai_simulator.fault("throttled", seconds=0.4, count=1)
        started = time.monotonic()

        answer = retrying().complete(question, deadline_seconds=5)

        assert answer.attempts == 2
        assert 0.4 <= time.monotonic() - started < 1.0

    @pytest.mark.parametrize("seconds", [5, 300])
    def test_does_not_begin_a_wait_that_is_too_long(self, retrying, question, openai_simulator, seconds):
        openai_simulator.fault("throttled", seconds=seconds)
        started = time.monotonic()

        with pytest.raises(ProviderError) as caught:
            retrying().complete(question, deadline_seconds=4)

        assert caught.value.retry_after == seconds
        assert time.monotonic() - started < 0.5
        assert openai_simulator.calls() == 1

    def test_keeps_one_deadline_over_all_attempts(self, retrying, question, openai_simulator):
        openai_simulator.fault("server_error", count=1)
        openai_simulator.fault("black_hole")
        started = time.monotonic()

        with pytest.raises(ProviderError) as caught:
            retrying().complete(question, deadline_seconds=0.6)

        assert caught.value.reason == "timeout"
        assert openai_simulator.calls() == 2
        assert 0.5 < time.monotonic() - started < 0.9


class TestRetryPolicy:
    @staticmethod
    def waits(policy, error, *, attempts=4):
        """Return the pauses after each attempt, all of which failed with the same error."""
        state = RetryCallState(Retrying(), None, (), {})
        state.set_exception((ProviderError, error, None))
        waits = []
        for state.attempt_number in range(1, attempts + 1):
            waits.append(policy.wait(state))
        return waits

    def test_it_backs_off_exponentially_up_to_a_cap(self, monkeypatch):
        monkeypatch.setattr("random.uniform", lambda _low, high: high)

        waits = self.waits(RetryPolicy(base_seconds=1, cap_seconds=3), ProviderError("error"))

        assert waits == [1, 2, 3, 3]

    def test_it_spreads_callers_over_the_whole_wait(self):
        waits = [wait for _ in range(200) for wait in self.waits(RetryPolicy(), ProviderError("error"), attempts=1)]

        assert 0 <= min(waits) < 0.05
        assert 0.2 < max(waits) <= 0.25

    def test_it_adds_the_jitter_to_what_the_server_asks_for(self):
        (wait,) = self.waits(RetryPolicy(base_seconds=1), ProviderError("throttled", retry_after=5), attempts=1)

        assert 5 <= wait <= 6
