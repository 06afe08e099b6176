"""Promises that every provider keeps, the null one and the OpenAI client before a real server alike."""

import time
from collections.abc import Callable, Iterator

import pytest

from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.protocol import Completion, CompletionRequest, NullProvider, Provider, ProviderError
from recommendations.ai.providers.openai_chat import OpenAIProvider
from recommendations.ai.providers.retry import RetryingProvider
from tests.fakes.openai_fixture import SimulatorControl

FAULTS = ["black_hole", "slow_drip", "garbage", "server_error", "insufficient_quota", "connection_reset"]


@pytest.fixture(params=["null", "openai", "retrying"])
def provider(request: pytest.FixtureRequest, configuration: AIConfiguration) -> Iterator[Provider]:
    makers: dict[str, Callable[[], Provider]] = {
        "null": NullProvider,
        "openai": lambda: OpenAIProvider(configuration),
        "retrying": lambda: RetryingProvider(OpenAIProvider(configuration)),
    }
    made = makers[request.param]()
    yield made
    made.close()


def _outcome(provider: Provider, question: CompletionRequest, *, deadline_seconds: float):
    try:
        return provider.complete(question, deadline_seconds=deadline_seconds)
    except ProviderError as error:
        return error


class TestEveryProvider:
    def test_answers_if_it_is_configured_and_refuses_for_good_if_not(self, provider, question):
        outcome = _outcome(provider, question, deadline_seconds=5)

        if provider.configured:
            assert isinstance(outcome, Completion)
            assert outcome.content == {"text": ""}
            assert outcome.usage.reported
            assert outcome.usage.input_tokens > 0
            assert outcome.usage.output_tokens > 0
            assert 0 < outcome.latency_seconds < 5
            assert outcome.attempts == 1
        else:
            assert isinstance(outcome, ProviderError)
            assert outcome.permanent

    def test_names_a_model_and_a_bound_exactly_if_it_is_configured(self, provider):
        assert bool(provider.model) is bool(provider.max_output_tokens) is provider.configured
        assert provider.simulated is provider.configured

    @pytest.mark.parametrize("kind", FAULTS)
    def test_ends_in_time_with_its_one_error(self, provider, question, openai_simulator: SimulatorControl, kind):
        openai_simulator.fault(kind)
        started = time.monotonic()

        outcome = _outcome(provider, question, deadline_seconds=0.3)

        assert isinstance(outcome, ProviderError)
        assert outcome.reason in {"timeout", "throttled", "error", "invalid"}
        assert time.monotonic() - started < 3  # the shortest of what it must not wait for is 5

    def test_makes_no_call_when_no_time_is_left(self, provider, question, openai_simulator: SimulatorControl):
        outcome = _outcome(provider, question, deadline_seconds=0)

        assert isinstance(outcome, ProviderError)
        assert openai_simulator.calls() == 0

    def test_can_be_closed_twice_and_used_again(self, provider, question):
        provider.close()
        provider.close()

        outcome = _outcome(provider, question, deadline_seconds=5)

        assert isinstance(outcome, Completion) is provider.configured
