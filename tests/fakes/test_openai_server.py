"""The simulator is a faithful stand-in: it answers the real SDK, and refuses what the real API refuses."""

import subprocess
import sys
from typing import Any

import httpx2
import openai
import pytest

from tests.fakes.openai_fixture import SimulatorControl, openai_server, openai_simulator

__all__ = ["openai_server", "openai_simulator"]
ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def client(openai_simulator: SimulatorControl):
    with openai.OpenAI(api_key="k", base_url=openai_simulator.base_url, max_retries=0) as made:
        yield made


def _format(schema):
    return {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}


class TestChat:
    def test_answers_the_sdk(self, client):
        answer = client.chat.completions.create(**ASK)

        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
        assert answer.usage.completion_tokens_details.reasoning_tokens == 0

    def test_fills_any_strict_schema(self, client):
        schema = {
            "type": "object",
            "properties": {"n": {"type": "integer"}, "kind": {"enum": ["a", "b"]}},
            "required": ["n", "kind"],
            "additionalProperties": False,
        }

        answer = client.chat.completions.create(**ASK, response_format=_format(schema))

        assert answer.choices[0].message.content == '{"n":0,"kind":"a"}'

    @pytest.mark.parametrize(
        "schema",
        [
            {"type": "object", "properties": {}, "required": []},
            {"type": "object", "properties": {"n": {"type": "integer"}}, "required": [], "additionalProperties": False},
        ],
    )
    def test_refuses_a_schema_that_is_not_strict(self, client, schema):
        with pytest.raises(openai.BadRequestError, match="Invalid schema"):
            client.chat.completions.create(**ASK, response_format=_format(schema))

    def test_cuts_an_answer_at_the_bound(self, client):
        shape = _format(
            {
                "type": "object",
                "properties": {"text": {"type": "string"}},
                "required": ["text"],
                "additionalProperties": False,
            }
        )

        answer = client.chat.completions.create(**ASK, response_format=shape, max_completion_tokens=1)

        assert answer.choices[0].finish_reason == "length"
        assert answer.usage.completion_tokens == 1

    @pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer"}, {"Authorization": "Basic eDp5"}])
    def test_wants_a_key(self, openai_simulator, header):
        answer = httpx2.post(openai_simulator.base_url + "/chat/completions", json=ASK, headers=header)

        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "invalid_request_error"

    @pytest.mark.parametrize(
        ("kind", "error", "code"),
        [
            ("throttled", openai.RateLimitError, "rate_limit_exceeded"),
            ("insufficient_quota", openai.RateLimitError, "insufficient_quota"),
            ("unauthorized", openai.AuthenticationError, "invalid_api_key"),
            ("server_error", openai.InternalServerError, None),
        ],
    )
    def test_fails_as_the_api_does(self, client, openai_simulator, kind, error, code):
        openai_simulator.fault(kind)

        with pytest.raises(error) as caught:
            client.chat.completions.create(**ASK)

        assert caught.value.code == code


class TestEmbeddings:
    def test_puts_texts_with_common_words_near_each_other(self, client):
        texts = ["a red sports car", "a blue sports car", "boiled potato soup"]

        answer = client.embeddings.create(model="text-embedding-3-small", input=texts, dimensions=256)

        first, near, far = (each.embedding for each in answer.data)
        assert len(first) == 256
        assert _dot(first, first) == pytest.approx(1, abs=1e-6)
        assert _dot(first, near) > 0.5 > abs(_dot(first, far))

    def test_is_the_same_as_floats(self, client):
        packed = client.embeddings.create(model="m", input="word").data[0].embedding
        plain = client.embeddings.create(model="m", input="word", encoding_format="float").data[0].embedding

        assert packed == plain


def _dot(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


class TestModels:
    def test_lists_and_retrieves(self, client):
        names = [each.id for each in client.models.list()]

        assert "docent-simulator" in names
        assert client.models.retrieve(names[0]).id == names[0]


class TestAdmin:
    def test_counts_faults_down(self, client, openai_simulator):
        openai_simulator.fault("server_error", count=2)
        outcomes = []
        for _ in range(3):
            try:
                client.chat.completions.create(**ASK)
                outcomes.append(200)
            except openai.APIStatusError as error:
                outcomes.append(error.status_code)

        assert outcomes == [500, 500, 200]
        assert openai_simulator.state()["faults_fired"] == {"server_error": 2}
        assert openai_simulator.state()["answers"] == {"500": 2, "200": 1}

    def test_fires_with_a_probability(self, client, openai_simulator):
        openai_simulator.fault("server_error", probability=0.5)
        for _ in range(40):
            try:
                client.chat.completions.create(**ASK)
            except openai.InternalServerError:
                continue

        assert 8 <= openai_simulator.state()["faults_fired"]["server_error"] <= 32

    def test_concerns_one_endpoint_if_asked_to(self, client, openai_simulator):
        openai_simulator.fault("server_error", endpoint="embeddings")

        assert client.chat.completions.create(**ASK)
        with pytest.raises(openai.InternalServerError):
            client.embeddings.create(model="m", input="word")

    @pytest.mark.parametrize(
        "params", [{"kind": "nonsense"}, {"kind": "latency", "count": 0}, {"kind": "latency", "probability": 2}]
    )
    def test_refuses_a_fault_that_it_does_not_know(self, openai_simulator, params):
        with pytest.raises(OSError, match="400"):
            openai_simulator.fault(**params)

        assert openai_simulator.state()["faults"] == []


class TestCommand:
    def test_serves_as_a_process_without_anything_but_the_standard_library(self):
        """``-S`` hides site-packages: neither Django nor the SDK may be needed."""
        command = [sys.executable, "-S", "-m", "tests.fakes.openai_server", "--port", "0", "--latency-ms", "1"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            control = SimulatorControl(base_url=line.split()[3])
            try:
                assert control.state()["requests"] == {}
            finally:
                process.terminate()

        assert process.returncode == 0
