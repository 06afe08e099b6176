"""Servers that speak OpenAI's API and are not OpenAI: strict ones, wrapped answers, refusals in every form."""

from dataclasses import replace

import pytest

from recommendations.ai.config.dialect import detect_dialect
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.protocol import Message, ProviderError
from recommendations.ai.providers.openai_chat import OpenAIProvider

GOOD = '{"text": ""}'


@pytest.fixture
def compatible(openai_server, openai_simulator):
    """`compatible(...)`: a provider as an operator configures it for a server that is not OpenAI's."""
    opened = []

    def provider(**given):
        configuration = AIConfiguration(
            api_key="test-key", base_url=openai_server.base_url, model="mistral-small", **given
        )
        opened.append(OpenAIProvider(configuration))
        return opened[-1]

    yield provider
    for each in opened:
        each.close()


class TestDialect:
    @pytest.mark.parametrize(
        ("url", "dialect"),
        [
            ("https://api.openai.com/v1", "openai"),
            ("https://eu.api.openai.com/v1", "openai"),
            ("https://shop.openai.azure.com/openai/v1", "openai"),
            ("https://api.mistral.ai/v1", "compatible"),
            ("https://notopenai.com/v1", "compatible"),
            ("http://127.0.0.1:8000/v1", "compatible"),
        ],
    )
    def test_is_told_by_the_host(self, url, dialect):
        assert detect_dialect(url) == dialect


class TestStrictServer:
    @pytest.mark.parametrize("output", ["json_schema", "json_object", "prompt"])
    def test_can_be_used(self, compatible, question, openai_simulator, output):
        openai_simulator.fault("strict")

        answer = compatible(output=output).complete(question, deadline_seconds=5)

        body = openai_simulator.state()["seen"][-1]["body"]
        assert answer.usage.output_tokens > 0
        assert body["max_tokens"] == 2048
        assert body.get("response_format", {"type": "prompt"})["type"] == output
        assert ("JSON schema" in body["messages"][0]["content"]) is (output != "json_schema")

    def test_says_which_field_it_refuses_and_repeats_nothing_of_the_prompt(
        self, compatible, question, openai_simulator
    ):
        openai_simulator.fault("strict")
        secret = replace(question, messages=(Message(role="user", content="Dead Man Walking was liked in Graz"),))

        with pytest.raises(ProviderError) as refused:
            compatible(dialect="openai").complete(secret, deadline_seconds=5)

        assert refused.value.permanent
        assert "HTTP 422" in refused.value.detail
        assert "store: Extra inputs are not permitted" in refused.value.detail
        assert "Walking" not in refused.value.detail


class TestWrappedAnswers:
    @pytest.mark.parametrize(
        "content",
        [
            GOOD,
            f"```json\n{GOOD}\n```",
            f"<think>hm</think>{GOOD}",
            f"\ufeff{GOOD}",
            [{"type": "text", "text": GOOD}],
        ],
    )
    def test_are_used(self, compatible, question, openai_simulator, content):
        openai_simulator.fault("canned", content=content)

        assert compatible().complete(question, deadline_seconds=5).content == {"text": ""}


class TestRefusals:
    @pytest.mark.parametrize(
        ("params", "reason", "says", "charged"),
        [
            ({"message": {"content": None, "refusal": "I will not."}}, "invalid", "refused: I will not.", True),
            ({"message": {"content": [{"type": "refusal", "refusal": "No."}]}}, "invalid", "refused: No.", True),
            ({"content": "I'm sorry, I can't help with that."}, "invalid", "refused in plain words", True),
            ({"content": "", "finish": "content_filter"}, "invalid", "content filter", True),
            ({"content": None, "finish": "SAFETY"}, "invalid", "content filter", True),
            ({"content": "{", "finish": "max_tokens"}, "invalid", "cut off", True),
            ({"body": {"error": {"code": 429, "message": "Slow down"}}}, "throttled", "Slow down", False),
            ({"body": {"error": {"message": "upstream failed"}}}, "error", "upstream failed", False),
            ({"status": 402, "body": {"error": {"message": "Insufficient Balance"}}}, "throttled", "Balance", False),
            (
                {"status": 400, "body": {"error": {"code": "content_filter", "message": "Filtered"}}},
                "invalid",
                "Filtered",
                False,
            ),
        ],
    )
    def test_are_recognised_and_cost_what_was_used(
        self, compatible, question, openai_simulator, params, reason, says, charged
    ):
        openai_simulator.fault("canned", **params)

        with pytest.raises(ProviderError) as refused:
            compatible().complete(question, deadline_seconds=5)

        error = refused.value
        assert error.reason == reason
        assert says in error.detail
        assert not error.spend_unknown
        if charged:
            assert error.usage is not None
            assert (error.usage.input_tokens, error.usage.output_tokens, error.usage.reported) == (20, 10, True)
        else:
            assert error.usage is None
