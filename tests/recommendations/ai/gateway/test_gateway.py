"""The one way to the model: what it costs, to the last token, also when many ask at once or one is interrupted."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.tenancy import scope
from recommendations.ai.budget import ledger
from recommendations.ai.config.prices import shipped_table
from recommendations.ai.models import AIReservation
from recommendations.ai.money import BudgetLimit, BudgetLimits
from recommendations.ai.protocol import CompletionRequest, ProviderError, Usage
from recommendations.ai.providers.tokens import input_bound
from tests.recommendations.ai.asking import NOW, calls, metric, reason, rerank, spent, time_for


class TestLedger:
    def test_writes_what_each_call_used_and_cost(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()

        rerank(gateway, tenant_id, build_id=7)
        answered = rerank(gateway, tenant_id, "p-2").completion.usage

        first, second = calls(tenant_id)
        price = shipped_table().price("gpt-4.1-mini", on=NOW.date())
        used = Usage(
            input_tokens=second.input_tokens, cached_tokens=second.cached_tokens, output_tokens=second.output_tokens
        )
        assert used == answered
        assert second.cost_nano_usd == price.cost(answered) > 0
        assert (first.build_id, first.purpose, first.model, first.outcome) == (7, "rerank", "gpt-4.1-mini", "ok")
        assert (first.prompt_version, first.simulated, first.usage_reported) == ("rerank-1", True, True)
        assert spent(tenant_id) == (
            sum(each.input_tokens + each.output_tokens for each in (first, second)),
            first.cost_nano_usd + second.cost_nano_usd,
            0,
        )
        assert ledger.reconcile(since=NOW.date().replace(day=1)) == []

    def test_costs_what_the_vendors_figures_times_the_table_say(self, make_gateway, tenant_id, openai_simulator):
        figures = {
            "prompt_tokens": 3000,
            "completion_tokens": 1500,
            "prompt_tokens_details": {"cached_tokens": 1024},
            "completion_tokens_details": {"reasoning_tokens": 200},
        }
        openai_simulator.fault("wrong_usage", usage=figures)

        rerank(make_gateway(), tenant_id)

        call = calls(tenant_id)[0]
        by_hand = ((3000 - 1024) * 0.40 + 1024 * 0.10 + 1500 * 1.60) / 1e6  # dollars
        assert call.cost_nano_usd / 1e9 == pytest.approx(by_hand, rel=0.001)
        assert call.reasoning_tokens == 200

    @pytest.mark.parametrize(
        ("kind", "outcome", "paid"),
        [
            ("server_error", "error", False),
            ("unauthorized", "error", False),
            ("insufficient_quota", "throttled", False),
            ("black_hole", "timeout", True),
            ("connection_reset", "error", True),
            ("garbage", "invalid", True),
            ("hallucinated", "invalid", True),
        ],
    )
    def test_charges_what_may_have_been_charged(self, make_gateway, tenant_id, openai_simulator, kind, outcome, paid):
        """A refusal is free; what nobody knows counts with its upper bound; a useless answer was paid for."""
        openai_simulator.fault(kind, count=1)
        openai_simulator.fault("bad_request")

        assert reason(make_gateway(), tenant_id, deadline=time_for(kind)) in {outcome, "error"}

        first = calls(tenant_id)[0]
        assert first.outcome == outcome
        assert (first.cost_nano_usd > 0) is paid
        assert spent(tenant_id)[2] == 0
        assert ledger.reconcile(since=NOW.date().replace(day=1)) == []

    def test_has_a_row_for_each_attempt(self, make_gateway, tenant_id, openai_simulator):
        openai_simulator.fault("server_error", count=2)

        assert rerank(make_gateway(), tenant_id).completion.attempts == 3

        assert [each.outcome for each in calls(tenant_id)] == ["error", "error", "ok"]

    def test_counts_for_prometheus(self, make_gateway, tenant_id, openai_simulator):
        names = {"ai_requests_total": {"outcome": "ok"}, "ai_cost_usd_total": {"simulated": "true"}}
        names |= {"ai_request_duration_seconds_count": {"outcome": "ok"}}
        before = {name: metric(name, **labels) for name, labels in names.items()}
        tokens = metric("ai_tokens_total", kind="input")

        rerank(make_gateway(), tenant_id)

        call = calls(tenant_id)[0]
        grown = {name: metric(name, **labels) - before[name] for name, labels in names.items()}
        assert grown["ai_requests_total"] == grown["ai_request_duration_seconds_count"] == 1
        assert grown["ai_cost_usd_total"] == pytest.approx(call.cost_nano_usd / 1e9)
        assert metric("ai_tokens_total", kind="input") - tokens == call.input_tokens


class TestCap:
    @pytest.mark.slow
    def test_never_overshoots_1000_tokens_with_32_calls_at_once(
        self, make_gateway, tenant_id, openai_simulator, question: CompletionRequest, redis_server
    ):
        """Redis is emptied in the middle: money does not depend on it."""
        gateway = make_gateway(budget=BudgetLimits(tenant_day=BudgetLimit(tokens=1000)), max_output_tokens=40)
        assert 150 < input_bound(question) < 300

        def call(number: int) -> str:
            if number == 20:
                redis_server.flushdb()
            try:
                gateway.complete(tenant_id=tenant_id, request=question, now=NOW, deadline_seconds=5)
            except ProviderError as error:
                return error.reason
            return "ok"

        outcomes: list[str] = []
        with ThreadPoolExecutor(32) as pool:
            outcomes += pool.map(call, range(32))
            while "ok" in (wave := list(pool.map(call, range(4)))):
                outcomes += wave

        tokens, _, reserved = spent(tenant_id)
        assert set(outcomes) == {"ok", "budget"}
        assert outcomes.count("ok") == openai_simulator.calls() == len(calls(tenant_id))
        assert 1000 - input_bound(question) - 40 < tokens <= 1000  # none would fit any more
        assert reserved == 0


class TestHygiene:
    def test_holds_no_transaction_and_no_reservation_when_interrupted(
        self, make_gateway, tenant_id, openai_simulator, monkeypatch
    ):
        """A task's time limit strikes during the call: what it may have cost is on the account."""
        gateway = make_gateway()

        def struck(*_args, **_options):
            assert not connection.in_atomic_block
            raise KeyboardInterrupt

        monkeypatch.setattr(gateway._dependencies.provider, "complete", struck)
        with pytest.raises(KeyboardInterrupt):
            rerank(gateway, tenant_id)

        assert [each.usage_reported for each in calls(tenant_id)] == [False]
        with scope.tenant(tenant_id):
            assert not AIReservation.objects.exists()

    def test_leaves_no_connection_in_a_pools_thread(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()

        def call(_):
            rerank(gateway, tenant_id)
            return connection.connection

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(call, range(4))) == [None] * 4
