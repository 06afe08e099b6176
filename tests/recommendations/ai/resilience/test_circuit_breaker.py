"""One breaker for all processes: before a real Redis, and while it is away."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from recommendations.ai.protocol import ProviderError
from recommendations.ai.resilience.circuit_breaker import BreakerEvent, CircuitBreaker
from recommendations.ai.resilience.circuit_state import BreakerPolicy, CallOutcome

QUICK = BreakerPolicy(minimum_calls=3, open_seconds=0.1, cap_seconds=0.4)
FAILED = CallOutcome(failed=True, error="HTTP 500")


def _breaker(model="m", **options) -> CircuitBreaker:
    return CircuitBreaker(provider="p", model=model, policy=QUICK, jitter=lambda: 1.0, **options)


def _trip(breaker: CircuitBreaker) -> None:
    for _ in range(QUICK.minimum_calls):
        breaker.record(breaker.acquire(deadline_seconds=1), FAILED)


def _refused(breaker: CircuitBreaker) -> bool:
    try:
        permit = breaker.acquire(deadline_seconds=1)
    except ProviderError as error:
        return error.reason == "breaker"
    breaker.return_permit(permit)
    return False


@pytest.fixture(params=["redis_server", "redis_away"])
def where(request):
    request.getfixturevalue(request.param)
    return request.param


class TestBreaker:
    def test_opens_refuses_probes_and_closes(self, where):
        breaker = _breaker()
        _trip(breaker)
        assert _refused(breaker)

        time.sleep(0.11)
        permit = breaker.acquire(deadline_seconds=1)
        assert permit.probe
        assert _refused(breaker)
        breaker.record(permit, CallOutcome())

        assert breaker.state().mode == "closed"
        assert not _refused(breaker)

    def test_tells_state_last_error_and_next_probe(self, where):
        breaker = _breaker()
        before = time.time()
        _trip(breaker)

        reading = breaker.state()

        assert (reading.mode, reading.why, reading.error) == ("open", "failures", "HTTP 500")
        assert reading.shared is (where == "redis_server")
        assert before < reading.probe_at <= time.time() + 0.1
        assert before - 0.01 <= reading.error_at <= time.time()

    def test_is_opened_and_reset_by_hand(self, where):
        breaker = _breaker()

        breaker.open(note="maintenance")
        assert _refused(breaker)
        assert breaker.state().error == "maintenance"

        breaker.reset()
        assert not _refused(breaker)

    def test_lets_one_of_many_threads_probe(self, where):
        breaker = _breaker()
        _trip(breaker)
        time.sleep(0.11)

        def probe(_):
            try:
                return breaker.acquire(deadline_seconds=1).probe
            except ProviderError:
                return False

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(probe, range(64))) == 1

    def test_tells_its_hooks_each_change_once(self, where):
        events: list[BreakerEvent] = []
        breaker = _breaker(hooks=[events.append])

        _trip(breaker)
        time.sleep(0.11)
        breaker.record(breaker.acquire(deadline_seconds=1), CallOutcome())

        assert [(each.before, each.after) for each in events] == [("closed", "open"), ("half_open", "closed")]
        assert (events[0].model, events[0].why, events[0].error) == ("m", "failures", "HTTP 500")


class TestShared:
    def test_is_one_breaker_for_all_who_name_the_same_model(self, redis_server):
        _trip(_breaker())

        assert _refused(_breaker())
        assert not _refused(_breaker(model="other"))

    def test_counts_every_outcome_of_concurrent_calls(self, redis_server):
        """Compare-and-set loses none: 40 good calls and 39 bad ones stay below half, one more bad one opens."""
        breaker = _breaker()
        permits = [breaker.acquire(deadline_seconds=1) for _ in range(80)]
        outcomes = [CallOutcome()] * 40 + [FAILED] * 39

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(breaker.record, permits[:40], outcomes[:40]))
            list(pool.map(breaker.record, permits[40:79], outcomes[40:]))
        assert breaker.state().mode == "closed"
        breaker.record(permits[79], FAILED)

        assert breaker.state().mode == "open"

    def test_a_dead_probers_lease_ends(self, redis_server):
        breaker = _breaker()
        _trip(breaker)
        time.sleep(0.11)
        breaker.acquire(deadline_seconds=-0.9)  # with the grace of a second: a lease of 0.1 s, never given back

        assert _refused(breaker)
        time.sleep(0.12)

        assert not _refused(breaker)

    def test_is_closed_after_redis_lost_everything(self, redis_server):
        breaker = _breaker()
        _trip(breaker)

        redis_server.flushdb()

        assert not _refused(breaker)

    def test_keeps_to_one_slot_of_a_cluster(self, redis_server):
        _trip(_breaker())

        assert [key for key in redis_server.keys("*") if not key.startswith(b"{ai}:")] == []
        assert redis_server.keys("{ai}:breaker:p:m")
