"""AI over the heads of lists: calls within their caps, answers that are reused, and fallbacks."""

import threading
import uuid
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from prometheus_client import REGISTRY

from accounts.tenancy import scope
from core import clock
from core.leases import LeaseLost
from recommendations.ai.models import AIBudget, AICall
from recommendations.ai.money import NANO_PER_USD
from recommendations.ai.uplift import fallback_stats
from recommendations.models import Build, EndUser, UserList
from recommendations.pipeline.builds import lifecycle, score
from recommendations.pipeline.llm import rerank
from recommendations.pipeline.llm.rerank import CONCURRENT_CALLS, rerank_heads
from recommendations.pipeline.models import Chunk
from tests.recommendations.pipeline.conftest import COLD, PEOPLE
from tests.recommendations.pipeline.generated import build_now, lists_of, reread, stored


def score_all(build):
    while score.score_chunk(tenant_id=build.tenant_id, build_id=build.pk):
        pass


def noted(tenant):
    return fallback_stats.load_counts(now=clock.now(), window=timedelta(hours=1), tenant_id=tenant.pk)


def spent(tenant):
    with scope.tenant(tenant.pk):
        return AIBudget.objects.get(period="day").spent_nano_usd


def counted(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


class TestWithAI:
    def test_heads_are_reordered_with_reasons_and_the_rest_follows(self, acme, simulated_ai):
        build = build_now(acme, ai=True)
        plain = build_now(acme)

        reranked, model = stored(lists_of(acme, build)["u0000"]), stored(lists_of(acme, plain)["u0000"])
        assert (reranked.provenance.source, reranked.provenance.simulated) == ("ai", True)
        ids = [entry["item_id"] for entry in reranked.entries()]
        old = [entry["item_id"] for entry in model.entries()]
        assert sorted(ids[:20]) == sorted(old[:20])
        assert ids[20:] == old[20:]
        assert any(part.endswith(":ai") for part in reranked.parts[:20])
        assert build.outcomes["lists"] == {"ai": PEOPLE, "popular": COLD}
        assert build.outcomes["ai_skipped"] == {"gate": COLD}
        assert (build.ai_calls, build.outcomes["ai_meant"], build.ai_simulated) == (PEOPLE, PEOPLE, True)
        assert simulated_ai.calls() == PEOPLE

    @pytest.mark.slow
    def test_evidence_names_items_that_the_person_had(self, acme, simulated_ai):
        listed = stored(lists_of(acme, build_now(acme, ai=True))["u0000"])

        titles = {f"i{number:04d}": f"Title {number}" for number in range(60)}
        cited = [
            (entry["reason"], each["item_id"])
            for entry, part in zip(listed.entries(), listed.parts, strict=True)
            if part.endswith(":ai")
            for each in entry["evidence"]
        ]
        assert cited
        assert all(item_id in titles for _, item_id in cited)

    @pytest.mark.slow
    def test_the_cap_of_the_build_is_never_exceeded(self, acme, simulated_ai, settings):
        settings.AI_CALLS_PER_BUILD = 7

        build = build_now(acme, ai=True)

        assert simulated_ai.calls() == build.ai_calls == 7
        assert build.outcomes["ai_skipped"] == {"cap": PEOPLE - 7, "gate": COLD}
        assert build.outcomes["lists"] == {"ai": 7, "model": PEOPLE - 7, "popular": COLD}
        assert build.outcomes["ai_fallbacks"] == {}
        assert {stored(row).provenance.degraded for row in lists_of(acme, build).values()} == {None}

    def test_the_cap_holds_among_workers(self, acme, simulated_ai, settings):
        settings.AI_CALLS_PER_BUILD = 10
        build = lifecycle.start(tenant_id=acme.pk, reason="test", now=clock.now())
        granted: list[bool] = []

        def take():
            granted.extend(rerank._reserve_call(build) for _ in range(5))
            connection.close()

        threads = [threading.Thread(target=take) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sum(granted) == reread(build).ai_calls == 10

    def test_plans_set_the_cap(self, acme, simulated_ai):
        with scope.all_tenants("test"):
            acme.plan.__class__.objects.update(ai_calls_per_build=3)

        assert build_now(acme, ai=True).ai_calls == 3


@pytest.mark.slow
class TestTwice:
    def test_the_same_data_is_not_paid_for_again(self, acme, simulated_ai):
        first = build_now(acme, ai=True)
        asked = counted("ai_requests_total", outcome="cached")

        second = build_now(acme, ai=True)

        assert simulated_ai.calls() == PEOPLE
        assert second.outcomes["lists"] == {"ai": PEOPLE, "popular": COLD}
        assert counted("ai_requests_total", outcome="cached") - asked == PEOPLE
        with scope.tenant(acme.pk):
            assert set(AICall.objects.values_list("build_id", flat=True)) == {first.pk}
        before, after = lists_of(acme, first), lists_of(acme, second)
        assert {name: stored(row).entries() for name, row in before.items()} == {
            name: stored(row).entries() for name, row in after.items()
        }

    def test_only_who_changed_is_asked_about(self, acme, simulated_ai):
        build_now(acme, ai=True)
        with scope.tenant(acme.pk):
            EndUser.objects.filter(user_id__in=["u0003", "u0004"]).update(locale="de")

        build_now(acme, ai=True)

        assert simulated_ai.calls() == PEOPLE + 2


@pytest.mark.slow
class TestStatistics:
    def test_are_kept_with_the_lists(self, acme, simulated_ai, settings):
        settings.AI_CALLS_PER_BUILD = 30
        simulated_ai.fault("refusal", count=2)

        build_now(acme, ai=True)

        assert noted(acme) == fallback_stats.FallbackCounts(
            meant=30, fallbacks={"invalid": 2}, skipped={"cap": PEOPLE - 30, "gate": COLD}
        )

    def test_of_a_chunk_that_somebody_else_did_are_not_kept(self, acme, simulated_ai, monkeypatch):
        build = build_now(acme, ai=True, until="scoring")
        original = rerank_heads

        def lose_the_lease(**given):
            with scope.tenant(acme.pk):
                Chunk.objects.filter(build=build, kind=Chunk.Kind.PEOPLE).update(lease_token=uuid.uuid4())
            return original(**given | {"checkpoint": lambda: None})

        monkeypatch.setattr(score, "rerank_heads", lose_the_lease)
        with pytest.raises(LeaseLost):
            score_all(build)

        assert simulated_ai.calls() > 0
        assert noted(acme) == fallback_stats.FallbackCounts(meant=0, fallbacks={}, skipped={})


@pytest.mark.slow
class TestFallbacks:
    def test_a_dead_provider_costs_nobody_their_list(self, acme, simulated_ai, settings):
        simulated_ai.fault("bad_request")
        before = counted("ai_fallback_total", reason="error")

        build = build_now(acme, ai=True)

        lists = lists_of(acme, build)
        assert len(lists) == PEOPLE + COLD
        assert build.outcomes["lists"] == {"model": PEOPLE, "popular": COLD}
        called = simulated_ai.calls()
        # The breaker opens after a few calls: nobody else waits for the provider.
        assert settings.AI_BREAKER_MINIMUM_CALLS <= called <= settings.AI_BREAKER_MINIMUM_CALLS + CONCURRENT_CALLS
        assert build.outcomes["ai_fallbacks"] == {"error": called, "breaker": PEOPLE - called}
        assert counted("ai_fallback_total", reason="error") - before == called
        degraded = Counter(stored(row).provenance.degraded for row in lists.values())
        assert degraded == {"error": called, "breaker": PEOPLE - called, None: COLD}
        assert rerank.gateway().breaker.state().mode != "closed"

    def test_a_spent_budget_costs_nobody_their_list(self, acme, simulated_ai, settings):
        settings.AI_BUDGET_TENANT_DAY_USD = "0.05"
        rerank.gateway.cache_clear()

        build = build_now(acme, ai=True)

        made = build.outcomes["lists"]
        assert made == {"ai": simulated_ai.calls(), "model": build.outcomes["ai_fallbacks"]["budget"], "popular": COLD}
        assert made["ai"] + made["model"] == PEOPLE
        assert made["ai"] > 0
        assert spent(acme) < 0.05 * NANO_PER_USD

    def test_single_failures_are_counted_by_reason_and_the_others_get_ai(self, acme, simulated_ai):
        simulated_ai.fault("refusal", count=1)

        build = build_now(acme, ai=True)

        assert sum(build.outcomes["ai_fallbacks"].values()) == 1
        assert build.outcomes["lists"] == {"ai": PEOPLE - 1, "model": 1, "popular": COLD}

    def test_calls_of_a_chunk_that_was_lost_stay_counted(self, acme, simulated_ai, settings):
        settings.AI_CALLS_PER_BUILD = 50
        build = build_now(acme, ai=True, until="scoring")
        with scope.tenant(acme.pk):
            Build.objects.filter(pk=build.pk).update(ai_calls=45)

        while score.score_chunk(tenant_id=acme.pk, build_id=build.pk):
            pass

        assert simulated_ai.calls() == 5
        with scope.tenant(acme.pk):
            assert UserList.objects.filter(source="ai").count() == 5
