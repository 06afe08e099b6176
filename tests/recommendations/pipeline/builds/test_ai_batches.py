"""A nightly build asks through the batch interface: at half the price, nobody waits, and every end has its way on."""

from datetime import timedelta

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.ai.budget import ledger
from recommendations.ai.config.prices import shipped_table
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.models import AIBatch, AIBatchQuestion, AIBudget, AICall, AIReservation, AISent
from recommendations.ai.protocol import Usage
from recommendations.ai.uplift import fallback_stats
from recommendations.experiments import lifecycle as experiments
from recommendations.models import Build, Experiment, ExperimentArm, Placement
from recommendations.pipeline.builds import ai_batches, lifecycle, publish, schedule, score, train
from recommendations.pipeline.llm import rerank
from tests.recommendations.pipeline.generated import build_now, fill, lists_of, reread

pytestmark = pytest.mark.slow  # whole builds, night after night
HOUR = timedelta(hours=1)
PEOPLE = 8


@pytest.fixture
def acme(committed_db, cast):
    fill(cast.acme.tenant, people=PEOPLE, items=30)
    return cast.acme.tenant


@pytest.fixture(autouse=True)
def _on(settings, simulated_ai):
    settings.AI_BATCH = True
    settings.AI_CALLS_PER_BUILD = 1000


def step(*, after=timedelta()):
    from django.conf import settings

    ai_batches.step(AIConfiguration.from_settings(settings), now=clock.now() + after)


def drive(tenant, build):
    """The build's tasks, in this process."""
    train.train_step(tenant_id=tenant.pk, build_id=build.pk)
    while score.score_chunk(tenant_id=tenant.pk, build_id=build.pk):
        pass
    publish.publish_step(tenant_id=tenant.pk, build_id=build.pk)
    return reread(build)


def nightly(tenant):
    build = lifecycle.start(tenant_id=tenant.pk, reason=schedule.NIGHTLY, now=clock.now(), ai_batch=True)
    return drive(tenant, build)


def latest(tenant):
    with scope.tenant(tenant.pk):
        return Build.objects.order_by("-pk").first()


def batch(tenant):
    with scope.tenant(tenant.pk):
        return AIBatch.objects.get()


def reserved(tenant):
    with scope.tenant(tenant.pk):
        return list(AIBudget.objects.values_list("reserved_tokens", "reserved_nano_usd"))


def follow(tenant):
    build = latest(tenant)
    assert (build.reason, build.status) == (ai_batches.FOLLOW_UP, "training")
    return drive(tenant, build)


class TestANight:
    def test_leaves_people_of_an_experiment_in_their_arms_while_the_answers_wait(self, acme):
        with scope.tenant(acme.pk):
            place, _ = Placement.objects.get_or_create(tenant=acme, name="home")
            experiment = Experiment.objects.create(tenant=acme, placement=place, name="AI or not")
            for letter, ai in (("a", False), ("b", True)):
                ExperimentArm.objects.create(tenant=acme, experiment=experiment, letter=letter, percent=50, ai=ai)
        experiments.start(tenant_id=acme.pk, experiment_id=experiment.pk, now=clock.now())

        first = nightly(acme)

        arms = {name: row.arm for name, row in lists_of(acme, first).items()}
        assert set(arms.values()) == {f"x{experiment.pk}a", f"x{experiment.pk}b"}
        assert first.outcomes["ai_skipped"]["batch"] == [*arms.values()].count(f"x{experiment.pk}b")

    def test_lists_come_first_and_answers_at_half_the_price(self, acme, simulated_ai):
        first = nightly(acme)
        assert simulated_ai.calls() == 0
        assert first.outcomes["lists"] == {"model": PEOPLE}
        assert first.outcomes["ai_skipped"] == {"batch": PEOPLE}
        assert {row.arm for row in lists_of(acme, first).values()} == {""}

        step()
        assert batch(acme).state == "submitted"
        assert min(tokens for tokens, _ in reserved(acme)) > 0
        step(after=2 * HOUR)

        done = batch(acme)
        assert (done.state, done.result, done.answers, done.questions) == ("done", "answered", PEOPLE, PEOPLE)
        assert set(reserved(acme)) == {(0, 0)}
        second = follow(acme)
        assert simulated_ai.calls() == 0
        assert second.outcomes["lists"] == {"ai": PEOPLE}
        assert second.artefact_id == first.artefact_id
        price = shipped_table().price("gpt-4.1-mini", on=clock.now().date())
        with scope.tenant(acme.pk):
            calls = list(AICall.objects.all())
            assert not AIBatchQuestion.objects.exists()
            assert not AIReservation.objects.exists()
            assert AISent.objects.count() == PEOPLE
        assert {(each.purpose, each.outcome) for each in calls} == {("rerank-batch", "ok")}
        for each in calls:
            usage = Usage(
                input_tokens=each.input_tokens, cached_tokens=each.cached_tokens, output_tokens=each.output_tokens
            )
            assert each.cost_nano_usd == -(-price.cost(usage) // 2)
        assert ledger.reconcile(since=clock.now().date().replace(day=1)) == []

    def test_pays_for_nobody_twice(self, acme, simulated_ai):
        nightly(acme)
        step()
        step(after=2 * HOUR)
        follow(acme)

        again = nightly(acme)

        assert again.outcomes["lists"] == {"ai": PEOPLE}
        step()
        with scope.tenant(acme.pk):
            assert AIBatch.objects.count() == 1


class TestUnanswered:
    def test_who_was_not_answered_is_asked_as_usual(self, acme, simulated_ai):
        simulated_ai.fault("batch_expired", share=0.5, endpoint="batches")
        nightly(acme)
        step()
        step(after=2 * HOUR)

        second = follow(acme)

        assert second.outcomes["lists"] == {"ai": PEOPLE}
        assert simulated_ai.calls() == PEOPLE / 2

    def test_what_the_budget_refuses_is_a_fallback_in_the_end(self, acme, simulated_ai, settings):
        settings.AI_BUDGET_TENANT_DAY_USD = "0.002"
        rerank.gateway.cache_clear()
        nightly(acme)
        step()

        second = follow(acme)

        assert second.outcomes["ai_fallbacks"] == {"budget": PEOPLE}
        noted = fallback_stats.load_counts(now=clock.now(), window=HOUR, tenant_id=acme.pk)
        assert (noted.meant, noted.fallbacks, noted.skipped) == (PEOPLE, {"budget": PEOPLE}, {"batch": PEOPLE})


def test_a_newer_build_is_not_followed(acme, simulated_ai):
    nightly(acme)
    step()
    newer = build_now(acme, ai=True)

    step(after=2 * HOUR)

    assert latest(acme).pk == newer.pk
    assert batch(acme).followed_at is not None


def test_erased_people_are_not_asked_about(acme, simulated_ai):
    from recommendations.privacy.erase import erase_end_user

    nightly(acme)
    erase_end_user(tenant_id=acme.pk, user_id="u0000", now=clock.now())

    step()

    assert batch(acme).questions == PEOPLE - 1
