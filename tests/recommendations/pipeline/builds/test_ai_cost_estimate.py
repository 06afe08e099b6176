"""Estimate of AI's cost in the next build: counted with the questions that the build then asks."""

import re
from io import StringIO

import pytest
from django.core.management import call_command

from accounts.models import FeatureFlag, Tenant
from accounts.tenancy import scope, tenant_cache
from core import clock
from recommendations.ai.budget.reports import NothingToEstimate
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.models import AIRelease
from recommendations.experiments import lifecycle
from recommendations.models import EndUser, Experiment, ExperimentArm
from recommendations.pipeline.builds import ai_cost_estimate
from recommendations.placements import versions
from tests.recommendations.pipeline.conftest import COLD, PEOPLE
from tests.recommendations.pipeline.generated import build_now


def seen(tenant, settings):
    with scope.all_tenants("test"):
        found = Tenant.objects.select_related("plan").get(pk=tenant.pk)
    return ai_cost_estimate.preview(tenant=found, config=AIConfiguration.from_settings(settings), now=clock.now())


def told():
    out = StringIO()
    call_command("ai_preview", "--tenant", "acme", stdout=out)
    return out.getvalue()


def only_some_are_meant(tenant, settings):
    """A share of people are in the control arm, one has AI off, and of those without history one says who they are."""
    settings.AI_CONTROL_PERCENT = 25
    with scope.tenant(tenant.pk):
        AIRelease.objects.create(tenant=tenant, person_attributes=["country"])
        EndUser.objects.filter(user_id=f"u{PEOPLE:04d}").update(attributes={"country": "DE"})
        FeatureFlag.objects.create(tenant=tenant, name="ai", percent=80)
    tenant_cache.load()


def test_counts_what_the_next_build_asks(acme, simulated_ai, settings):
    build_now(acme)
    only_some_are_meant(acme, settings)

    before = seen(acme, settings)
    build = build_now(acme, ai=True)
    after = seen(acme, settings)

    assert before.wanted == before.calls == simulated_ai.calls() == build.outcomes["ai_meant"]
    assert 0 < before.wanted < PEOPLE
    assert (before.answered, after.answered) == (0, after.calls)
    assert (after.calls, after.total) == (before.calls, 0)


@pytest.mark.slow
def test_stands_for_people_who_are_not_looked_at(acme, simulated_ai, settings, monkeypatch):
    build_now(acme)
    monkeypatch.setattr(ai_cost_estimate, "EXAMINED", 22)

    assert PEOPLE * 0.8 < seen(acme, settings).wanted < PEOPLE + COLD


def test_says_why_there_is_nothing_to_ask(acme, simulated_ai, settings):
    build_now(acme)
    with scope.tenant(acme.pk):
        AIRelease.objects.create(tenant=acme, enabled=False)

    with pytest.raises(NothingToEstimate, match=f"{PEOPLE + COLD} off"):
        seen(acme, settings)


@pytest.mark.slow
def test_tells_calls_and_money_and_goes_by_rules_and_arms(acme, simulated_ai, settings):
    build_now(acme)
    settings.AI_CALLS_PER_BUILD = 2
    version = versions.create_draft(
        tenant_id=acme.pk, placement="home", rules={"prompt": "rerank-variety-1"}, now=clock.now()
    )
    usual = told()
    versions.publish_version(tenant_id=acme.pk, placement="home", number=version.number, now=clock.now())
    longer = told()
    with scope.tenant(acme.pk):
        experiment = Experiment.objects.create(tenant=acme, placement=version.placement, name="AI?")
        for letter, ai in (("a", False), ("b", True)):
            ExperimentArm.objects.create(tenant=acme, experiment=experiment, letter=letter, percent=50, ai=ai)
    lifecycle.start(tenant_id=acme.pk, experiment_id=experiment.pk, now=clock.now())
    halved = told()

    assert f"{PEOPLE} lists are eligible for AI; a build makes up to 2 calls with gpt-4.1-mini" in usual
    per_call, most = (float(each) for each in re.findall(r"\$(\d\.\d{6})", usual))
    about = re.search(r"The build: about \$(\d\.\d{4}), at most \$(\d\.\d{4})", usual)
    assert about is not None
    assert 0.0002 < per_call < most < 0.02
    assert float(about[1]) == pytest.approx(2 * per_call, abs=1e-4)
    assert "Left of tenant_day: $5.0000" in usual
    tokens = [int(said.split("A call: about ")[1].split()[0]) for said in (usual, longer)]
    assert tokens[0] < tokens[1]
    assert [int(said.split()[0]) for said in (usual, longer)] == [PEOPLE, PEOPLE]
    assert 2 < int(halved.split()[0]) < PEOPLE - 2
