"""The one way to the model: what it costs, what is stored, and under which reason it fails."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection
from prometheus_client import REGISTRY

from accounts import scope
from recommendations.ai import answers, ledger
from recommendations.ai.amounts import BudgetLimits, Limit
from recommendations.ai.breaker_rules import BreakerPolicy
from recommendations.ai.gateway import AIGateway
from recommendations.ai.models import AIAnswer, AIBudget, AICall, AIReservation
from recommendations.ai.prices import shipped_table
from recommendations.ai.provider import CompletionRequest, ProviderError, Usage
from recommendations.ai.rerank import Reranked
from recommendations.ai.throttle import Limits
from recommendations.ai.token_estimate import input_bound
from tests.recommendations.ai.films import films

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _rerank(gateway: AIGateway, tenant_id: int, person: str = "p-1", **options) -> Reranked:
    return gateway.rerank(
        tenant_id=tenant_id, request=films(person), now=NOW, deadline_seconds=options.pop("deadline", 5), **options
    )


def _reason(gateway: AIGateway, tenant_id: int, person: str = "p-1", **options) -> str:
    with pytest.raises(ProviderError) as caught:
        _rerank(gateway, tenant_id, person, **options)
    return caught.value.reason


def _calls(tenant_id: int) -> list[AICall]:
    with scope.tenant(tenant_id):
        return list(AICall.objects.order_by("pk"))


def _spent(tenant_id: int) -> tuple[int, int, int]:
    """Tokens and money spent in the day, and tokens still reserved."""
    with scope.tenant(tenant_id):
        row = AIBudget.objects.get(period="day")
    return row.spent_tokens, row.spent_nano_usd, row.reserved_tokens


def _metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class TestLedger:
    def test_writes_what_each_call_used_and_cost(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()

        _rerank(gateway, tenant_id, build_id=7)
        answered = _rerank(gateway, tenant_id, "p-2").completion.usage

        first, second = _calls(tenant_id)
        price = shipped_table().price("gpt-4.1-mini", on=NOW.date())
        used = Usage(
            input_tokens=second.input_tokens, cached_tokens=second.cached_tokens, output_tokens=second.output_tokens
        )
        assert used == answered
        assert second.cost_nano_usd == price.cost(answered) > 0
        assert (first.build_id, first.purpose, first.model, first.outcome) == (7, "rerank", "gpt-4.1-mini", "ok")
        assert (first.prompt_version, first.simulated, first.usage_reported) == ("rerank-1", True, True)
        assert _spent(tenant_id) == (
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

        _rerank(make_gateway(), tenant_id)

        call = _calls(tenant_id)[0]
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

        assert _reason(make_gateway(), tenant_id, deadline=0.4) in {outcome, "error"}

        first = _calls(tenant_id)[0]
        assert first.outcome == outcome
        assert (first.cost_nano_usd > 0) is paid
        assert _spent(tenant_id)[2] == 0
        assert ledger.reconcile(since=NOW.date().replace(day=1)) == []

    def test_has_a_row_for_each_attempt(self, make_gateway, tenant_id, openai_simulator):
        openai_simulator.fault("server_error", count=2)

        assert _rerank(make_gateway(), tenant_id).completion.attempts == 3

        assert [each.outcome for each in _calls(tenant_id)] == ["error", "error", "ok"]

    def test_counts_for_prometheus(self, make_gateway, tenant_id, openai_simulator):
        names = {"ai_requests_total": {"outcome": "ok"}, "ai_cost_usd_total": {"simulated": "true"}}
        names |= {"ai_request_duration_seconds_count": {"outcome": "ok"}}
        before = {name: _metric(name, **labels) for name, labels in names.items()}
        tokens = _metric("ai_tokens_total", kind="input")

        _rerank(make_gateway(), tenant_id)

        call = _calls(tenant_id)[0]
        grown = {name: _metric(name, **labels) - before[name] for name, labels in names.items()}
        assert grown["ai_requests_total"] == grown["ai_request_duration_seconds_count"] == 1
        assert grown["ai_cost_usd_total"] == pytest.approx(call.cost_nano_usd / 1e9)
        assert _metric("ai_tokens_total", kind="input") - tokens == call.input_tokens
        assert _metric("ai_breaker_state", model="gpt-4.1-mini") == 0


class TestStoredAnswers:
    def test_asks_the_same_only_once(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()

        paid, stored = _rerank(gateway, tenant_id), _rerank(gateway, tenant_id)

        assert stored.items == paid.items
        assert (paid.cached, stored.cached, stored.completion.usage) == (False, True, Usage())
        assert openai_simulator.calls() == len(_calls(tenant_id)) == 1

    def test_is_there_when_the_provider_is_not(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()
        _rerank(gateway, tenant_id)
        gateway.breaker.open()

        assert _rerank(gateway, tenant_id).cached
        assert _reason(gateway, tenant_id, "p-2") == "breaker"

    @pytest.mark.parametrize("other", [films("p-2"), films(size=19), films(liked="Dune"), films(locale="de")])
    def test_asks_anew_where_anything_differs(self, make_gateway, tenant_id, openai_simulator, other):
        gateway = make_gateway()
        _rerank(gateway, tenant_id)

        assert not gateway.rerank(tenant_id=tenant_id, request=other, now=NOW, deadline_seconds=5).cached

    def test_belongs_to_a_model_and_an_origin(self, make_gateway, tenant_id, openai_simulator):
        _rerank(make_gateway(), tenant_id)

        assert not _rerank(make_gateway(model="gpt-4.1-nano"), tenant_id).cached
        assert not _rerank(make_gateway(simulated=False), tenant_id).cached

    def test_keeps_no_useless_answer(self, make_gateway, tenant_id, openai_simulator):
        openai_simulator.fault("hallucinated", count=1)
        gateway = make_gateway()

        assert _reason(gateway, tenant_id) == "invalid"

        assert not _rerank(gateway, tenant_id).cached

    def test_is_forgotten_with_the_person_and_with_time(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()
        for person in ("p-1", "p-2"):
            _rerank(gateway, tenant_id, person)

        assert answers.forget(tenant_id=tenant_id, person_key="p-1") == 1
        assert answers.purge(now=NOW.replace(month=12), keep_days=29) == 1
        with scope.tenant(tenant_id):
            assert not AIAnswer.objects.exists()


class TestReasons:
    """The six words that a fallback is counted under."""

    def test_breaker(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()
        gateway.breaker.open()

        assert _reason(gateway, tenant_id) == "breaker"
        assert openai_simulator.calls() == 0
        assert _spent(tenant_id) == (0, 0, 0)

    def test_budget(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway(budget=BudgetLimits(tenant_day=Limit(nano_usd=1000)))

        assert _reason(gateway, tenant_id) == "budget"
        assert openai_simulator.calls() == 0

    def test_throttled_by_our_own_limits(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway(limits=Limits(requests_per_minute=5))
        _rerank(gateway, tenant_id)

        assert _reason(gateway, tenant_id, "p-2", deadline=1) == "throttled"
        assert openai_simulator.calls() == 1
        assert _spent(tenant_id)[2] == 0

    @pytest.mark.parametrize(
        ("kind", "reason"),
        [
            ("throttled", "throttled"),
            ("black_hole", "timeout"),
            ("slow_drip", "timeout"),
            ("server_error", "error"),
            ("garbage", "invalid"),
            ("hallucinated", "invalid"),
        ],
    )
    def test_the_providers(self, make_gateway, tenant_id, openai_simulator, kind, reason):
        openai_simulator.fault(kind)
        before = _metric("ai_requests_total", outcome=reason)

        assert _reason(make_gateway(), tenant_id, deadline=0.4) == reason
        assert _metric("ai_requests_total", outcome=reason) == before + 1

    def test_off(self, make_gateway, tenant_id):
        gateway = make_gateway(api_key="")

        assert not gateway.configured
        assert _reason(gateway, tenant_id) == "error"

    def test_a_model_without_a_price_is_refused_at_the_call_too(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()

        with pytest.raises(ProviderError, match="no price"):
            gateway.rerank(tenant_id=tenant_id, request=films(), now=datetime(2020, 1, 1, tzinfo=UTC))
        assert openai_simulator.calls() == 0


class TestBreaker:
    @pytest.mark.parametrize("kind", ["insufficient_quota", "unauthorized"])
    def test_opens_at_the_first_refused_key(self, make_gateway, tenant_id, openai_simulator, kind):
        openai_simulator.fault(kind)
        gateway = make_gateway()

        reasons = [_reason(gateway, tenant_id, f"p-{n}") for n in range(5)]

        assert reasons[1:] == ["breaker"] * 4
        assert openai_simulator.calls() == 1

    @pytest.mark.parametrize(
        "kind", ["server_error", "throttled", "garbage", "hallucinated", "connection_reset", "black_hole"]
    )
    def test_stops_calls_at_its_threshold_and_closes_after_the_recovery(
        self, make_gateway, tenant_id, openai_simulator, kind
    ):
        policy = BreakerPolicy(minimum_calls=3, open_seconds=30, cap_seconds=30)
        openai_simulator.fault(kind)
        gateway = make_gateway(breaker=policy)

        reasons = [_reason(gateway, tenant_id, f"p-{n}", deadline=0.3) for n in range(12)]

        assert reasons[-6:] == ["breaker"] * 6
        assert openai_simulator.calls() == 3  # retries are counted, and stopped

    def test_says_so_to_other_processes_gateways(self, make_gateway, tenant_id, openai_simulator):
        make_gateway().breaker.open()

        assert _reason(make_gateway(), tenant_id) == "breaker"


class TestCap:
    def test_never_overshoots_1000_tokens_with_32_calls_at_once(
        self, make_gateway, tenant_id, openai_simulator, question: CompletionRequest, redis_server
    ):
        """Redis is emptied in the middle: money does not depend on it."""
        gateway = make_gateway(budget=BudgetLimits(tenant_day=Limit(tokens=1000)), max_output_tokens=40)
        assert 150 < input_bound(question) < 300

        def call(number: int) -> str:
            if number == 20:
                redis_server.flushall()
            try:
                gateway.complete(tenant_id=tenant_id, request=question, now=NOW, deadline_seconds=5)
            except ProviderError as error:
                return error.reason
            return "ok"

        outcomes: list[str] = []
        with ThreadPoolExecutor(32) as pool:
            while "ok" in outcomes[-32:] or not outcomes:
                outcomes += pool.map(call, range(32))

        tokens, _, reserved = _spent(tenant_id)
        assert set(outcomes) == {"ok", "budget"}
        assert outcomes.count("ok") == openai_simulator.calls() == len(_calls(tenant_id))
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

        monkeypatch.setattr(gateway._with.provider, "complete", struck)
        with pytest.raises(KeyboardInterrupt):
            _rerank(gateway, tenant_id)

        assert [each.usage_reported for each in _calls(tenant_id)] == [False]
        with scope.tenant(tenant_id):
            assert not AIReservation.objects.exists()

    def test_leaves_no_connection_in_a_pools_thread(self, make_gateway, tenant_id, openai_simulator):
        gateway = make_gateway()

        def call(_):
            _rerank(gateway, tenant_id)
            return connection.connection

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(call, range(4))) == [None] * 4


class TestPreview:
    def test_says_what_a_call_would_cost_without_making_it(self, make_gateway, tenant_id, openai_simulator):
        """The length of an answer is taken from an earlier one, as the ledger tells it."""
        gateway = make_gateway()
        usual = _rerank(gateway, tenant_id, "p-0").completion.usage.output_tokens

        preview = gateway.preview(tenant_id=tenant_id, request=films(), now=NOW, answer_tokens=usual)
        assert (preview.stored, openai_simulator.calls()) == (False, 1)

        _rerank(gateway, tenant_id)
        cost = _calls(tenant_id)[1].cost_nano_usd
        assert preview.expected.nano_usd == pytest.approx(cost, rel=0.15)
        assert preview.bound.nano_usd > cost
        assert gateway.preview(tenant_id=tenant_id, request=films(), now=NOW, answer_tokens=usual).stored
