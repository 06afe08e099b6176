"""The OpenAI client before a server that misbehaves: one request, one deadline, one error."""

import os
import re
import threading
import time

import pytest
import structlog

from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.protocol import CompletionRequest, ProviderError
from recommendations.ai.providers.openai_chat import OpenAIProvider
from tests.fakes.openai_fixture import SimulatorControl

DEADLINE = 0.5
TOLERANCE = 0.3


def _error(provider: OpenAIProvider, question: CompletionRequest, *, deadline: float = 5.0) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        provider.complete(question, deadline_seconds=deadline)
    return caught.value


class TestTotalDeadline:
    @pytest.mark.parametrize(
        ("kind", "params"),
        [
            ("black_hole", {}),
            ("slow_drip", {"interval": 0.05}),
            ("slow_drip", {"interval": 0.05, "part": "headers"}),
            ("latency", {"seconds": 3}),
        ],
    )
    def test_ends_a_call_that_would_not_end(self, openai_provider, question, openai_simulator, kind, params):
        openai_simulator.fault(kind, **params)
        started = time.monotonic()

        error = _error(openai_provider, question, deadline=DEADLINE)

        assert DEADLINE - 0.05 <= time.monotonic() - started <= DEADLINE + TOLERANCE
        assert (error.reason, error.permanent) == ("timeout", False)

    def test_holds_for_each_of_many_threads(self, openai_provider, question, openai_simulator: SimulatorControl):
        openai_simulator.fault("slow_drip", interval=0.05)
        took: list[float] = []

        def call() -> None:
            started = time.monotonic()
            _error(openai_provider, question, deadline=DEADLINE)
            took.append(time.monotonic() - started)

        threads = [threading.Thread(target=call) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(took) == 12
        assert max(took) <= DEADLINE + TOLERANCE
        assert openai_simulator.state()["most_in_flight"] >= 12

    def test_gives_the_connection_up(self, openai_provider, question, openai_simulator: SimulatorControl):
        """A late answer to one call never becomes the answer to the next."""
        openai_simulator.fault("latency", seconds=0.6, count=1)
        _error(openai_provider, question, deadline=0.3)

        answer = openai_provider.complete(question, deadline_seconds=5)

        assert answer.content == {"text": ""}
        assert answer.latency_seconds < 0.5

    def test_covers_an_address_that_takes_no_connection(self, question):
        config = AIConfiguration(api_key="k", base_url="http://127.0.0.1:9/v1", model="m")
        provider = OpenAIProvider(config)

        error = _error(provider, question, deadline=30)
        provider.close()

        assert (error.reason, error.permanent) == ("error", False)


class TestErrors:
    @pytest.mark.parametrize(
        ("kind", "params", "expected"),
        [
            ("throttled", {"seconds": 5}, ("throttled", False, 5.0)),
            ("throttled", {"seconds": 300}, ("throttled", False, 300.0)),
            ("throttled", {"header": False}, ("throttled", False, None)),
            ("insufficient_quota", {}, ("throttled", True, None)),
            ("unauthorized", {}, ("error", True, None)),
            ("bad_request", {}, ("error", True, None)),
            ("server_error", {}, ("error", False, None)),
            ("server_error", {"status": 503, "seconds": 2}, ("error", False, 2.0)),
            ("server_error", {"status": 504}, ("timeout", False, None)),
            ("connection_reset", {}, ("error", False, None)),
            ("garbage", {}, ("invalid", False, None)),
            ("garbage", {"part": "body"}, ("error", False, None)),  # a web page: no model was reached
            ("truncated", {}, ("invalid", False, None)),
            ("refusal", {}, ("invalid", False, None)),
        ],
    )
    def test_says_what_happened(self, openai_provider, question, openai_simulator, kind, params, expected):
        openai_simulator.fault(kind, **params)

        error = _error(openai_provider, question)

        assert (error.reason, error.permanent, error.retry_after) == expected
        assert openai_simulator.calls() == 1

    def test_reads_a_retry_after_that_is_a_date(self, openai_provider, question, openai_simulator):
        openai_simulator.fault("throttled", seconds=30, http_date=True)

        error = _error(openai_provider, question)

        assert error.retry_after == pytest.approx(30, abs=1)

    def test_tells_what_an_unusable_answer_cost(self, openai_provider, question, openai_simulator):
        openai_simulator.fault("garbage")

        error = _error(openai_provider, question)

        assert error.usage is not None
        assert error.usage.output_tokens > 0


class TestRequest:
    def test_asks_for_strict_structured_output_within_a_bound(self, openai_provider, question, openai_simulator):
        openai_provider.complete(question, deadline_seconds=5)

        body = openai_simulator.state()["seen"][-1]["body"]
        assert body["max_completion_tokens"] == openai_provider.max_output_tokens
        assert body["response_format"]["json_schema"]["strict"] is True
        assert body["response_format"]["json_schema"]["schema"] == question.schema
        assert body["store"] is False
        assert set(body) == {"model", "messages", "response_format", "max_completion_tokens", "store"}

    @pytest.mark.parametrize(("asked", "sent"), [(100, 100), (10**6, 2048)])
    def test_takes_the_tighter_bound(self, openai_provider, openai_simulator, question, asked, sent):
        request = CompletionRequest(
            purpose=question.purpose,
            messages=question.messages,
            schema_name=question.schema_name,
            schema=question.schema,
            max_output_tokens=asked,
        )

        openai_provider.complete(request, deadline_seconds=5)

        assert openai_simulator.state()["seen"][-1]["body"]["max_completion_tokens"] == sent

    def test_ignores_the_environment_of_the_sdk(self, configuration, question, monkeypatch):
        """The SDK reads OPENAI_BASE_URL by itself; only the configuration may decide where data goes."""
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        provider = OpenAIProvider(configuration)

        answer = provider.complete(question, deadline_seconds=5)
        provider.close()

        assert answer.model == "gpt-4.1-mini"


class TestFork:
    def test_a_child_process_opens_connections_of_its_own(self, openai_provider, question):
        """Celery's workers fork: a loop's thread does not come along, and sockets must not be shared."""
        openai_provider.complete(question, deadline_seconds=5)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                answer = openai_provider.complete(question, deadline_seconds=3)
                os.write(writing, b"1" if answer.content == {"text": ""} else b"0")
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)

        assert said == b"1"
        assert openai_provider.complete(question, deadline_seconds=5).content == {"text": ""}


class TestClientRequestId:
    def test_names_the_request_behind_the_call_and_is_new_each_time(self, openai_provider, question, openai_simulator):
        with structlog.contextvars.bound_contextvars(request_id="request-0001"):
            openai_provider.complete(question, deadline_seconds=5)
            openai_provider.complete(question, deadline_seconds=5)

        first, second = [entry["id"] for entry in openai_simulator.state()["seen"]]
        assert re.fullmatch(r"request-0001\.[0-9a-f]{12}", first)
        assert first != second
