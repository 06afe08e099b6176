"""Redis killed and frozen under load: no error, bounded waiting, at most 1.2 times the limit, exact again soon."""

import pytest

from core import clock, redis
from core.ratelimit import Outcome, Quota, RateLimit, billing_periods, keys, local_limiter
from core.ratelimit.metrics import LIMITER_REDIS_ERRORS, RATE_LIMIT_REJECTED
from tests.core.ratelimit.calls import ACME, ask, count, know_revocations, limits

pytestmark = pytest.mark.drill
EXACT_AGAIN_SECONDS = 5.0


def test_a_dead_server_is_judged_alone_and_counted(own_server, settings):
    settings.RATE_LIMIT_PROCESSES = 1
    know_revocations()
    assert ask(cost=100).allowed
    own_server.kill()
    before = count(LIMITER_REDIS_ERRORS), count(RATE_LIMIT_REJECTED.labels("read"))

    decisions = [ask(reads=[("get", keys.tag(ACME) + "a")]) for _ in range(50)]

    assert [each.outcome for each in decisions] == [Outcome.UNKNOWN_REVOCATION] * 20 + [Outcome.RATE_LIMITED] * 30
    assert not any(each.exact or each.allowed for each in decisions)
    assert all(each.values is None for each in decisions)
    assert decisions[0].headers == {}
    assert set(decisions[-1].headers) == {"Retry-After"}
    assert count(LIMITER_REDIS_ERRORS) - before[0] == 50
    assert count(RATE_LIMIT_REJECTED.labels("read")) - before[1] == 30


@pytest.mark.parametrize("how", ["kill", "freeze"])
def test_accepts_at_most_1_2_of_the_limit_without_an_error(how, own_server, hammer):
    know_revocations()

    reports = hammer(
        processes=2, threads=4, seconds=3, pause=0.005, count=300, window=3, before=getattr(own_server, how)
    )

    outcomes = {name for report in reports for name in report["outcomes"]}
    accepted = sum(report["outcomes"].get("alone:unknown_revocation", 0) for report in reports)
    assert outcomes == {"alone:unknown_revocation", "alone:rate_limited"}
    assert 300 * 0.8 <= accepted <= 300 * 1.2
    assert max(report["p95_ms"] for report in reports) <= 220


def test_is_exact_again_after_a_restart(own_server, until):
    know_revocations()
    own_server.kill()
    while redis.breaker.allows():
        assert not ask().exact
    own_server.restart()

    until(lambda: ask().exact, seconds=EXACT_AGAIN_SECONDS)

    assert ask().outcome is Outcome.UNKNOWN_REVOCATION  # the server came back empty
    know_revocations()
    assert ask(cost=97).allowed
    assert [ask().allowed for _ in range(3)] == [True, False, False]  # the first two exact ones were spent above


def test_is_exact_again_after_a_thaw(own_server, until):
    know_revocations()
    ask(cost=90)
    own_server.freeze()
    while redis.breaker.allows():
        assert not ask().exact
    own_server.thaw()

    until(lambda: ask(cost=1).exact, seconds=EXACT_AGAIN_SECONDS)

    accepted = sum(ask().allowed for _ in range(20))
    assert accepted <= 9  # what timed out may have been charged: never the other way round
    assert ask().outcome is Outcome.RATE_LIMITED


def test_what_was_accepted_alone_is_added_to_the_quota(own_server, until, settings):
    settings.RATE_LIMIT_PROCESSES = 1
    know_revocations()
    asked = limits(RateLimit("read", 1000, 86_400, 1000), Quota(10_000))
    assert ask(limits=asked, cost=5).quota_used == 5
    own_server.freeze()
    alone = [ask(limits=asked, cost=7) for _ in range(3)]
    assert not any(each.exact for each in alone)
    own_server.thaw()

    until(lambda: ask(limits=asked).exact, seconds=EXACT_AGAIN_SECONDS)

    used = int(redis.client().get(keys.quota(ACME, billing_periods.month_at(clock.now()).name)))
    assert local_limiter.ledger.pop_owed(ACME) == {}
    assert used >= 5 + 3 * 7 + 1
