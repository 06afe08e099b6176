"""Providers of every kind, before a real server."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from accounts.models import Plan, Tenant
from accounts.models.tenant import UNLIMITED
from accounts.tenancy import scope
from core import clock, redis
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.factory import build_gateway
from recommendations.ai.gateway.gateway import AIGateway
from recommendations.ai.models import (
    AIAnswer,
    AIBatch,
    AIBatchQuestion,
    AIBudget,
    AICall,
    AIFallbackStat,
    AIGate,
    AIGlobalBudget,
    AILimit,
    AIRelease,
    AIReservation,
    AISent,
    AIVector,
)
from recommendations.ai.protocol import CompletionRequest, Message
from recommendations.ai.providers.openai_chat import OpenAIProvider
from recommendations.ai.providers.retry import RetryPolicy
from tests.fakes.openai_fixture import SimulatorControl, openai_server, openai_simulator
from tests.fakes.openai_server import Simulator

__all__ = ["openai_server", "openai_simulator"]


@pytest.fixture(scope="session")
def configuration(openai_server: Simulator) -> AIConfiguration:
    """The configuration that an operator would set for the simulator."""
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
    redis.breaker.record_success()


AI_MODELS = (
    AIAnswer,
    AIBatchQuestion,
    AIBatch,
    AIBudget,
    AICall,
    AIFallbackStat,
    AIGate,
    AIGlobalBudget,
    AILimit,
    AIRelease,
    AIReservation,
    AISent,
    AIVector,
)


@pytest.fixture
def tenant_id(django_db_setup: None, django_db_blocker: Any) -> Iterator[int]:
    """A tenant in a database with real commits: budgets are about concurrent transactions.

    Deletes what it left by itself, which takes a tenth of the time that emptying all tables does.
    """
    with django_db_blocker.unblock():
        with scope.all_tenants("test"):
            plan = Plan.objects.create(name="Test of AI", **UNLIMITED)
            tenant = Tenant.objects.create(slug="acme", name="Acme", plan=plan)
        yield int(tenant.pk)
        with scope.all_tenants("test"):
            for model in AI_MODELS:
                model._default_manager.all().delete()
            tenant.delete()
            plan.delete()
        connection.close()


@pytest.fixture
def make_gateway(
    tenant_id: int, redis_server: object, configuration: AIConfiguration, openai_simulator: SimulatorControl
) -> Iterator[Callable[..., AIGateway]]:
    """Make gateways before a healthy simulator, with other settings where they are given."""
    made: list[AIGateway] = []

    def make(**changes: Any) -> AIGateway:
        config = replace(configuration, **changes)
        made.append(build_gateway(config, today=clock.now().date(), retries=RetryPolicy(base_seconds=0.01)))
        return made[-1]

    yield make
    for each in made:
        each.close()
