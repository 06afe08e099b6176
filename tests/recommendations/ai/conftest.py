"""Providers of every kind, before a real server."""

from collections.abc import Iterator

import pytest
from django.test import override_settings

from core import redis
from recommendations.ai.configuration import AIConfiguration
from recommendations.ai.openai_client import OpenAIProvider
from recommendations.ai.provider import CompletionRequest, Message
from tests.fakes.openai_fixture import SimulatorControl, openai_server, openai_simulator
from tests.fakes.openai_server import Simulator

__all__ = ["openai_server", "openai_simulator"]


@pytest.fixture(scope="session")
def configuration(openai_server: Simulator) -> AIConfiguration:
    """What an operator would set for the simulator."""
    return AIConfiguration(api_key="test-key", base_url=openai_server.base_url, model="gpt-4.1-mini", simulated=True)


@pytest.fixture(scope="session")
def shared_provider(configuration: AIConfiguration) -> Iterator[OpenAIProvider]:
    """One client for the session: making one loads the certificate store, which takes longer than most tests."""
    provider = OpenAIProvider(configuration)
    yield provider
    provider.close()


@pytest.fixture
def openai_provider(shared_provider: OpenAIProvider, openai_simulator: SimulatorControl) -> OpenAIProvider:
    """The OpenAI client alone (one request per call), before a healthy simulator."""
    return shared_provider


@pytest.fixture
def question() -> CompletionRequest:
    """A small question with a strict schema."""
    return CompletionRequest(
        purpose="test",
        messages=(Message(role="system", content="Answer."), Message(role="user", content="What?")),
        schema_name="answer",
        schema={
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": False,
        },
    )


@pytest.fixture
def redis_away(redis_server: object) -> Iterator[None]:
    """Every new connection goes to a port where nothing listens."""
    redis.client().connection_pool.disconnect()
    redis.client.cache_clear()
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        yield
    redis.client.cache_clear()
    redis.breaker.succeeded()
