"""Users and tenants whose lists are left to the model: switches, the gate, and data that is not released."""

import json

import pytest

from accounts.models import FeatureFlag
from accounts.tenancy import scope, tenant_cache
from core import clock
from recommendations.ai.config.uplift_policy import UpliftPolicy
from recommendations.ai.models import AIRelease
from recommendations.ai.uplift import gate
from recommendations.models import EndUser, Item, Placement
from recommendations.pipeline.llm import rerank
from tests.recommendations.pipeline.conftest import COLD, PEOPLE
from tests.recommendations.pipeline.generated import build_now


class TestSkipped:
    @pytest.fixture
    def build(self, acme, simulated_ai):
        yield lambda **wanted: build_now(acme, **{"ai": True} | wanted)
        assert simulated_ai.calls() == 0

    @pytest.mark.slow
    def test_where_the_build_is_to_make_no_calls(self, build):
        assert build(ai=False).outcomes["ai_skipped"] == {"off": PEOPLE + COLD}

    @pytest.mark.slow
    def test_where_the_placement_is_off(self, build, acme):
        with scope.tenant(acme.pk):
            Placement.objects.create(tenant=acme, name="home", ai=False)

        assert build().outcomes["ai_skipped"] == {"off": PEOPLE + COLD}

    def test_where_the_flag_is_off(self, build, acme):
        with scope.tenant(acme.pk):
            FeatureFlag.objects.create(tenant=acme, name="ai", percent=0)
        tenant_cache.load()

        assert build().outcomes["ai_skipped"] == {"off": PEOPLE + COLD}

    @pytest.mark.slow
    def test_where_no_key_is_set(self, acme, settings):
        settings.OPENAI_API_KEY = ""
        rerank.gateway.cache_clear()

        build = build_now(acme, ai=True)
        rerank.gateway.cache_clear()

        assert build.outcomes["ai_skipped"] == {"no_key": PEOPLE + COLD}


@pytest.mark.slow
class TestGate:
    def test_closed_leaves_ai_to_the_share_that_explores(self, acme, simulated_ai, settings):
        settings.AI_GATE_SEGMENTS = ["heavy"]
        settings.AI_GATE_EXPLORE_PERCENT = 20

        build = build_now(acme, ai=True)

        explored = build.outcomes["lists"]["ai"]
        assert 0 < explored < PEOPLE
        assert build.outcomes["ai_skipped"] == {"gate": PEOPLE + COLD - explored}
        assert simulated_ai.calls() == explored

    def test_goes_by_what_was_measured(self, acme, simulated_ai, settings):
        settings.AI_GATE_EXPLORE_PERCENT = 1
        loss = gate.UpliftMeasurement(
            segment="regular", ai_cases=5000, ai_successes=100, control_cases=5000, control_successes=400
        )
        gate.record_measurements(
            tenant_id=acme.pk, placement="home", rows=[loss], policy=UpliftPolicy(), now=clock.now()
        )

        build = build_now(acme, ai=True)

        assert build.outcomes["ai_skipped"]["gate"] >= PEOPLE + COLD - 3

    def test_lets_nobody_pass_of_whom_nothing_is_known(self, acme, simulated_ai):
        """A cold person gets AI as soon as the tenant has released something that it can go by."""
        with scope.tenant(acme.pk):
            EndUser.objects.filter(user_id=f"u{PEOPLE:04d}").update(attributes={"country": "DE", "email": "a@b.c"})
            AIRelease.objects.create(tenant=acme, person_attributes=["country"])

        build = build_now(acme, ai=True)

        assert build.outcomes["ai_skipped"] == {"gate": COLD - 1}
        bodies = [json.dumps(each["body"], ensure_ascii=False) for each in simulated_ai.state()["seen"]]
        assert sum("country: DE" in body for body in bodies) == 1
        assert not any("a@b.c" in body for body in bodies)


@pytest.mark.slow
class TestRelease:
    def test_switched_off_by_the_tenant_nothing_is_asked(self, acme, simulated_ai):
        with scope.tenant(acme.pk):
            AIRelease.objects.create(tenant=acme, enabled=False)

        build = build_now(acme, ai=True)

        assert build.outcomes["ai_skipped"] == {"off": PEOPLE + COLD}
        assert simulated_ai.calls() == 0

    def test_items_attributes_leave_only_where_they_are_released(self, acme, simulated_ai):
        with scope.tenant(acme.pk):
            Item.objects.filter(tenant=acme).update(attributes={"studio": "Ghibli", "margin": "31 percent"})
            AIRelease.objects.create(tenant=acme, item_attributes=["studio"])

        build_now(acme, ai=True)

        bodies = [json.dumps(each["body"], ensure_ascii=False) for each in simulated_ai.state()["seen"]]
        assert all("studio: Ghibli" in body for body in bodies)
        assert not any("31 percent" in body for body in bodies)
