"""Calls through a gateway, and what became of them, in as few words as the tests want to use."""

from datetime import UTC, datetime

import pytest
from prometheus_client import REGISTRY

from accounts.tenancy import scope
from recommendations.ai.gateway.gateway import AIGateway
from recommendations.ai.models import AIBudget, AICall
from recommendations.ai.protocol import Provider, ProviderError
from recommendations.ai.reranking.rerank import RerankRequest, RerankResult, build_question, parse_answer
from tests.recommendations.ai.films import films

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

HANGING = ("black_hole", "slow_drip")


def time_for(kind: str) -> float:
    """A deadline in seconds, below the simulator's Retry-After; short for faults that use it up.

    Not too short for a busy machine to send the call.
    """
    return 1.0 if kind in HANGING else 4.0


def rerank(gateway: AIGateway, tenant_id: int, person: str = "p-1", **options) -> RerankResult:
    return gateway.rerank(
        tenant_id=tenant_id, request=films(person), now=NOW, deadline_seconds=options.pop("deadline", 5), **options
    )


def rerank_with(provider: Provider, request: RerankRequest, *, deadline_seconds: float) -> RerankResult:
    """Rerank with a bare provider: no budget, breaker, limits or cache."""
    question = build_question(request)
    answer = provider.complete(question.completion_request, deadline_seconds=deadline_seconds)
    return parse_answer(question, answer, simulated=provider.simulated)


def reason(gateway: AIGateway, tenant_id: int, person: str = "p-1", **options) -> str:
    with pytest.raises(ProviderError) as caught:
        rerank(gateway, tenant_id, person, **options)
    return caught.value.reason


def calls(tenant_id: int) -> list[AICall]:
    with scope.tenant(tenant_id):
        return list(AICall.objects.order_by("pk"))


def spent(tenant_id: int) -> tuple[int, int, int]:
    """Tokens and money spent in the day, and tokens still reserved."""
    with scope.tenant(tenant_id):
        row = AIBudget.objects.get(period="day")
    return row.spent_tokens, row.spent_nano_usd, row.reserved_tokens


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0
