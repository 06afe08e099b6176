"""Batch calls pass the same breaker and rate limiter as single calls, before a real server."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from accounts.tenancy import scope
from recommendations.ai.batch import jobs, queue
from recommendations.ai.batch.guarded_client import CallDeferred
from recommendations.ai.factory import build_batch_context
from recommendations.ai.gateway import response_cache
from recommendations.ai.gateway.instrumentation import instrumented_breaker
from recommendations.ai.metrics import AI_BATCH_SKIPPED
from recommendations.ai.models import AIBatch, AISent
from recommendations.ai.protocol import ProviderError
from recommendations.ai.reranking.rerank import build_question
from recommendations.ai.resilience.rate_limiter import RateLimits
from tests.recommendations.ai.films import films

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _closed(configuration, redis_server):
    """The breaker is one for all tests of a server."""
    instrumented_breaker(configuration).reset()
    yield
    instrumented_breaker(configuration).reset()


@pytest.fixture
def breaker(configuration):
    return instrumented_breaker(configuration)


@pytest.fixture
def make_context(configuration, openai_simulator):
    made = []

    def make(**changes):
        made.append(build_batch_context(replace(configuration, **changes), today=NOW.date()))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def batch(tenant_id, make_context):
    """One question in a batch that waits."""
    context = make_context()
    request = build_question(films("p-0", size=4)).completion_request
    digest = response_cache.request_digest(request, model=context.provider.model, origin=context.origin)
    queue.enqueue_question(tenant_id=tenant_id, build_id=1, digest=digest, request=request, now=NOW)
    jobs.create_batches(tenant_id=tenant_id, build_id=1, model=context.provider.model, now=NOW)
    with scope.tenant(tenant_id):
        return AIBatch.objects.get()


def look(context, batch, after=timedelta(), **options):
    jobs.advance_batch(context, tenant_id=batch.tenant_id, batch_id=batch.pk, now=NOW + after, **options)
    with scope.tenant(batch.tenant_id):
        return AIBatch.objects.get()


def skipped(reason):
    return AI_BATCH_SKIPPED.labels(reason)._value.get()


class TestBreaker:
    def test_while_it_is_open_nothing_is_called_and_no_attempt_is_used_up(
        self, make_context, batch, breaker, openai_simulator, tenant_id
    ):
        context, before = make_context(), skipped("breaker")
        breaker.open()
        for minute in range(10):  # more often than a batch is tried
            waiting = look(context, batch, minute * MINUTE)

        assert (waiting.state, waiting.attempts, waiting.reservation) == ("waiting", 0, None)
        assert "breaker" in waiting.error
        assert openai_simulator.calls("batches") == 0
        assert skipped("breaker") == before + 10
        with scope.tenant(tenant_id):
            assert not AISent.objects.exists()

        breaker.reset()
        assert look(context, batch, 10 * MINUTE).state == "submitted"

    def test_a_submitted_batch_is_not_looked_at_and_is_collected_afterwards(
        self, make_context, batch, breaker, openai_simulator
    ):
        context = make_context()
        look(context, batch)
        calls = openai_simulator.calls("batches")
        breaker.open()
        assert look(context, batch, 5 * MINUTE).state == "submitted"
        assert openai_simulator.calls("batches") == calls

        breaker.reset()
        done = look(context, batch, 10 * MINUTE)

        assert (done.state, done.result) == ("done", "answered")

    @pytest.mark.parametrize(
        ("fault", "why"),
        [({"kind": "server_error"}, "failures"), ({"kind": "throttled"}, "throttling")],
    )
    def test_is_opened_by_calls_that_fail(self, make_context, breaker, openai_simulator, redis_server, fault, why):
        context = make_context()
        openai_simulator.fault(**fault, endpoint="batches-transport")
        for _ in range(breaker.policy.minimum_calls):
            with pytest.raises(ProviderError):
                context.batches.poll("batch_1", deadline_seconds=5)

        assert (breaker.state().mode, breaker.state().why) == ("open", why)
        with pytest.raises(CallDeferred):
            context.batches.poll("batch_1", deadline_seconds=5)
        assert openai_simulator.calls("batches") == breaker.policy.minimum_calls

    def test_is_opened_at_once_by_a_refused_key(self, make_context, batch, breaker, openai_simulator):
        openai_simulator.fault("unauthorized", endpoint="batches-transport")

        assert look(make_context(), batch).result == "failed"
        assert (breaker.state().mode, breaker.state().why) == ("open", "refused")

    def test_is_not_moved_by_requests_that_are_wrong_themselves(self, make_context, breaker, openai_simulator):
        context = make_context()
        for _ in range(2 * breaker.policy.minimum_calls):
            with pytest.raises(ProviderError) as failed:
                context.batches.poll("no-such-batch", deadline_seconds=5)
            assert not isinstance(failed.value, CallDeferred)

        assert breaker.state().mode == "closed"

    def test_is_never_closed_by_a_batch(self, make_context, batch, breaker):
        """A probe is for the calls that the breaker stands for: a batch passes, and proves nothing."""
        breaker.open(seconds=0)
        assert breaker.state().mode == "half_open"

        assert look(make_context(), batch).state == "submitted"
        assert breaker.state().mode == "half_open"
        assert breaker.acquire(deadline_seconds=1).probe


class TestThrottle:
    def test_counts_every_request(self, make_context, openai_simulator):
        context = make_context(limits=RateLimits(requests_per_minute=10))  # two at once, the others spread
        before = skipped("throttled")
        for _ in range(2):
            context.batches.find("key", deadline_seconds=1)

        with pytest.raises(CallDeferred, match="throttled"):
            context.batches.find("key", deadline_seconds=1)

        assert openai_simulator.calls("batches") == 2
        assert skipped("throttled") == before + 1

    def test_between_upload_and_beginning_puts_the_batch_off_and_uses_up_no_attempt(
        self, make_context, batch, openai_simulator
    ):
        context = make_context(limits=RateLimits(requests_per_minute=5))  # one at once
        put_off = look(context, batch, seconds=2.0)

        assert (put_off.state, put_off.attempts) == ("waiting", 0)
        assert openai_simulator.calls("batches") == 1

        free = make_context()
        assert look(free, batch, MINUTE).state == "submitted"


class TestDeadline:
    @pytest.mark.parametrize("fault", [{"kind": "black_hole"}, {"kind": "slow_drip", "part": "headers"}])
    def test_is_that_of_the_whole_step(self, make_context, batch, openai_simulator, fault):
        openai_simulator.fault(**fault, endpoint="batches-transport")
        started = time.monotonic()

        waiting = look(make_context(), batch, seconds=1.0)

        assert time.monotonic() - started < 10  # not CALL_SECONDS, and not a drip of an hour
        assert (waiting.state, waiting.attempts) == ("waiting", 1)
        assert "timeout" in waiting.error

    def test_without_time_left_nothing_is_called(self, make_context, batch, openai_simulator):
        waiting = look(make_context(), batch, seconds=0.0)

        assert (waiting.state, waiting.attempts) == ("waiting", 0)
        assert openai_simulator.calls("batches") == 0
