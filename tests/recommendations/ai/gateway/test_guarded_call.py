"""Reasons that stop a call; the provider is left alone then."""

from datetime import UTC, datetime

import pytest

from recommendations.ai.money import BudgetLimit, BudgetLimits
from recommendations.ai.protocol import ProviderError
from recommendations.ai.resilience.circuit_state import BreakerPolicy
from recommendations.ai.resilience.rate_limiter import RateLimits
from tests.recommendations.ai.asking import metric, reason, rerank, spent, time_for
from tests.recommendations.ai.films import films
from tests.size import slow


class TestReasons:
    """The six words that a fallback is counted under."""

    def test_breaker(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()
        gateway.breaker.open()

        assert reason(gateway, tenant_id) == "breaker"
        assert openai_simulator.calls() == 0
        assert spent(tenant_id) == (0, 0, 0)

    def test_budget(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway(budget=BudgetLimits(tenant_day=BudgetLimit(nano_usd=1000)))

        assert reason(gateway, tenant_id) == "budget"
        assert openai_simulator.calls() == 0

    def test_throttled_by_our_own_limits(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway(limits=RateLimits(requests_per_minute=5))
        rerank(gateway, tenant_id)

        assert reason(gateway, tenant_id, "p-2", deadline=1) == "throttled"
        assert openai_simulator.calls() == 1
        assert spent(tenant_id)[2] == 0

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("throttled", "throttled"),
            ("black_hole", "timeout"),
            ("slow_drip", "timeout"),
            ("server_error", "error"),
            ("garbage", "invalid"),
            ("hallucinated", "invalid"),
        ],
    )
    def test_the_providers(self, make_gateway, tenant_id, openai_simulator, kind, expected):
        openai_simulator.fault(kind)
        before = metric("ai_requests_total", outcome=expected)

        assert reason(make_gateway(), tenant_id, deadline=time_for(kind)) == expected
        assert metric("ai_requests_total", outcome=expected) == before + 1

    def test_off(self, make_gateway, tenant_id):
        gateway = make_gateway(api_key="")

        assert not gateway.configured
        assert reason(gateway, tenant_id) == "error"

    def test_a_model_without_a_price_is_refused_at_the_call_too(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()

        with pytest.raises(ProviderError, match="no price"):
            gateway.rerank(tenant_id=tenant_id, request=films(), now=datetime(2020, 1, 1, tzinfo=UTC))
        assert openai_simulator.calls() == 0


class TestBreaker:
    @pytest.mark.parametrize("kind", ["insufficient_quota", "unauthorized"])
    def test_opens_at_the_first_refused_key(self, make_gateway, tenant_id, openai_simulator, kind):
        openai_simulator.fault(kind)
        gateway = make_gateway(breaker=BreakerPolicy(open_seconds=30, cap_seconds=30))

        reasons = [reason(gateway, tenant_id, f"p-{n}") for n in range(5)]

        assert reasons[1:] == ["breaker"] * 4
        assert openai_simulator.calls() == 1

    @pytest.mark.parametrize(
        "kind",
        ["server_error", "black_hole", *slow("throttled", "garbage", "hallucinated", "connection_reset")],
    )
    def test_stops_calls_at_its_threshold_and_closes_after_the_recovery(
        self, make_gateway, tenant_id, openai_simulator, kind
    ):
        policy = BreakerPolicy(minimum_calls=3, open_seconds=30, cap_seconds=30)
        openai_simulator.fault(kind)
        gateway = make_gateway(breaker=policy)

        reasons = [reason(gateway, tenant_id, f"p-{n}", deadline=time_for(kind)) for n in range(12)]

        assert reasons[-6:] == ["breaker"] * 6
        assert openai_simulator.calls() == 3  # retries are counted, and stopped

    def test_says_so_to_other_processes_gateways(self, make_gateway, tenant_id, openai_simulator):
        make_gateway().breaker.open()

        assert reason(make_gateway(), tenant_id) == "breaker"
