"""A batch ends whatever the vendor does: what was answered is kept at half the price, the rest comes back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from accounts.tenancy import scope
from recommendations.ai.batch import collect, jobs, queue
from recommendations.ai.budget import ledger
from recommendations.ai.factory import build_batch_context
from recommendations.ai.gateway import response_cache
from recommendations.ai.models import AIBatch, AIBatchQuestion, AIBudget, AICall, AIRelease, AIReservation, AISent
from recommendations.ai.money import BudgetLimit, BudgetLimits
from recommendations.ai.reranking.rerank import build_question, subject_digest
from tests.recommendations.ai.films import films

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUESTIONS, BUILD = 8, 7


@pytest.fixture
def make_context(configuration, openai_simulator, redis_server):
    made = []

    def make(**changes):
        made.append(build_batch_context(replace(configuration, **changes), today=NOW.date()))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def context(make_context):
    return make_context()


@pytest.fixture
def batch(tenant_id, context):
    """Eight questions in one batch that waits."""
    for number in range(QUESTIONS):
        request = build_question(films(f"p-{number}", size=4)).completion_request
        digest = response_cache.request_digest(request, model=context.provider.model, origin=context.origin)
        for _ in range(2):  # the second time it waits already
            queue.enqueue_question(tenant_id=tenant_id, build_id=BUILD, digest=digest, request=request, now=NOW)
    assert jobs.create_batches(tenant_id=tenant_id, build_id=BUILD, model="gpt-4.1-mini", now=NOW) == 1
    with scope.tenant(tenant_id):
        return AIBatch.objects.get()


@pytest.fixture
def look(context, batch):
    """Looks at the batch, so much later; returns it as it is then."""

    def at(after=timedelta()):
        for tenant_id, batch_id in jobs.due_batches(now=NOW + after):
            jobs.advance_batch(context, tenant_id=tenant_id, batch_id=batch_id, now=NOW + after)
        with scope.tenant(batch.tenant_id):
            return AIBatch.objects.get()

    return at


def counters(tenant_id):
    with scope.tenant(tenant_id):
        rows = AIBudget.objects.values_list("spent_nano_usd", "reserved_nano_usd", "reserved_tokens")
        return set(rows)


def assert_closed(tenant_id, *, answered, paid=None):
    """Money and ledger agree, nothing is held, nothing waits."""
    with scope.tenant(tenant_id):
        calls = list(AICall.objects.all())
        assert not AIReservation.objects.exists()
        assert not AIBatchQuestion.objects.exists()
    assert len(calls) == (answered if paid is None else paid)
    assert {reserved for _, reserved, _ in counters(tenant_id)} <= {0}
    assert ledger.reconcile(since=NOW.date().replace(day=1)) == []


class TestAdvance:
    def test_submits_looks_and_collects(self, look, batch, tenant_id, openai_simulator):
        submitted = look()
        assert (submitted.state, submitted.questions) == ("submitted", QUESTIONS)
        assert min(reserved for _, reserved, _ in counters(tenant_id)) > 0

        done = look(HOUR)

        assert (done.state, done.result, done.answers) == ("done", "answered", QUESTIONS)
        assert_closed(tenant_id, answered=QUESTIONS)
        request = build_question(films("p-0", size=4)).completion_request
        digest = response_cache.request_digest(request, model="gpt-4.1-mini", origin=batch_origin(openai_simulator))
        assert response_cache.load(tenant_id=tenant_id, digest=digest) is not None
        with scope.tenant(tenant_id):
            assert AISent.objects.count() == QUESTIONS

    @pytest.mark.parametrize(
        ("fault", "result", "answered"),
        [
            ({"kind": "batch_expired", "share": 0.5}, "partly", QUESTIONS // 2),
            ({"kind": "batch_expired", "share": 0.0}, "expired", 0),
            ({"kind": "batch_failed"}, "failed", 0),
            ({"kind": "batch_partly", "share": 0.25}, "partly", QUESTIONS * 3 // 4),
        ],
    )
    def test_keeps_what_was_answered(self, look, tenant_id, openai_simulator, fault, result, answered):
        openai_simulator.fault(**fault, endpoint="batches")
        look()

        done = look(HOUR)

        assert (done.state, done.result, done.answers) == ("done", result, answered)
        assert_closed(tenant_id, answered=answered)

    def test_cancels_a_silent_batch_after_its_time(self, look, tenant_id, openai_simulator):
        openai_simulator.fault("batch_slow", seconds=10**6, endpoint="batches")
        look()
        assert look(2 * HOUR).state == "submitted"

        done = look(26 * HOUR)

        assert (done.state, done.result) == ("done", "expired")
        assert_closed(tenant_id, answered=0)

    def test_pays_for_bad_answers_and_does_not_keep_them(self, look, tenant_id, openai_simulator):
        openai_simulator.fault("hallucinated", count=2, endpoint="chat/completions")
        openai_simulator.fault("garbage", count=1, endpoint="chat/completions")
        look()

        done = look(HOUR)

        assert (done.result, done.answers) == ("partly", QUESTIONS - 3)
        with scope.tenant(tenant_id):
            invalid = list(AICall.objects.filter(outcome="invalid"))
        assert len(invalid) == 3
        assert all(each.cost_nano_usd > 0 for each in invalid)
        assert_closed(tenant_id, answered=QUESTIONS - 3, paid=QUESTIONS)

    def test_submits_nothing_without_budget(self, make_context, batch, tenant_id, openai_simulator):
        poor = make_context(budget=BudgetLimits(tenant_day=BudgetLimit(nano_usd=1000)))

        jobs.advance_batch(poor, tenant_id=tenant_id, batch_id=batch.pk, now=NOW)

        with scope.tenant(tenant_id):
            done = AIBatch.objects.get()
        assert (done.state, done.result) == ("done", "budget")
        assert openai_simulator.calls("batches") == 0

    def test_gives_up_a_vendor_that_is_away(self, look, tenant_id, openai_simulator):
        openai_simulator.fault("server_error", endpoint="batches-transport")

        states = [look(hours * HOUR).state for hours in range(5)]

        assert states == ["waiting"] * 4 + ["done"]
        assert look().result == "failed"
        assert_closed(tenant_id, answered=0)

    def test_asks_nothing_of_a_tenant_that_switched_ai_off_meanwhile(self, look, batch, tenant_id, openai_simulator):
        with scope.tenant(tenant_id):
            AIRelease.objects.create(tenant_id=tenant_id, enabled=False)

        assert look().result == "failed"
        assert openai_simulator.calls("batches") == 0

    def test_asks_nothing_about_people_who_were_erased(self, look, batch, tenant_id):
        assert queue.delete_for_user(tenant_id=tenant_id, subject=subject_digest("p-0")) == 1
        look()

        assert look(HOUR).answers == QUESTIONS - 1
        assert_closed(tenant_id, answered=QUESTIONS - 1)


class TestKilled:
    def test_before_it_could_say_that_it_submitted_the_batch_is_found_again(
        self, look, batch, tenant_id, openai_simulator
    ):
        look()
        with scope.tenant(tenant_id):
            AIBatch.objects.update(state="waiting", vendor_id="", next_at=NOW)
        before = openai_simulator.calls("batches")

        again = look()

        assert (again.state, bool(again.vendor_id)) == ("submitted", True)
        assert openai_simulator.calls("batches") == before + 1  # it looked, and did not upload

    def test_while_collecting_nothing_is_paid_twice(self, look, batch, tenant_id, monkeypatch):
        look()

        def killed(*_args, **_options):
            raise RuntimeError("killed")

        with monkeypatch.context() as broken:
            broken.setattr(collect, "finish_batch", killed)
            with pytest.raises(RuntimeError):
                look(HOUR)
        assert look(2 * HOUR).answers == QUESTIONS
        look(3 * HOUR)

        assert_closed(tenant_id, answered=QUESTIONS)

    def test_nobody_takes_a_step_that_somebody_else_takes(self, context, look, batch, tenant_id, openai_simulator):
        look()
        calls = openai_simulator.calls("batches")

        jobs.advance_batch(context, tenant_id=tenant_id, batch_id=batch.pk, now=NOW)

        assert openai_simulator.calls("batches") == calls


class TestTenants:
    def test_a_stranger_sees_neither_batch_nor_question(self, batch, tenant_id):
        with scope.tenant(tenant_id + 1):
            assert not AIBatch.objects.exists()
            assert not AIBatchQuestion.objects.exists()


def batch_origin(simulator):
    return f"simulator@{simulator.base_url.removeprefix('http://').removesuffix('/v1')}"
