"""Revoked callers are refused at once; with Redis emptied, the limiter says that it does not know."""

import time

import pytest

from core.ratelimit import Outcome, Quota, keys, revocation_markers
from core.ratelimit.revocation_markers import Revoked
from tests.core.ratelimit.calls import ACME, GLOBEX, ask, know_revocations, limits

pytestmark = pytest.mark.usefixtures("redis_server")
EACH = [Revoked("client", 900, "c1"), Revoked("token", 900, "t1"), Revoked("tenant", 900)]


@pytest.mark.parametrize("revoked", EACH, ids=lambda each: each.kind)
def test_a_revoked_caller_is_refused_reads_nothing_and_pays_nothing(revoked, redis_server):
    know_revocations()
    key = keys.tag(ACME) + "a"
    redis_server.set(key, "secret")
    before = ask(reads=[("get", key)])

    assert revocation_markers.publish(tenant_id=ACME, revoked=revoked)
    refused = ask(reads=[("get", key)], limits=limits(quota=Quota(10)))

    assert before.values == (b"secret",)
    assert refused.outcome is Outcome.REVOKED
    assert not refused.allowed
    assert refused.values is None
    assert refused.headers == {}
    assert revocation_markers.withdraw(tenant_id=ACME, revoked=revoked)
    again = ask(limits=limits(quota=Quota(10)))
    assert again.headers["RateLimit"].startswith('"read";r=98;')
    assert again.quota_used == 1


def test_others_are_not_touched():
    know_revocations()
    revocation_markers.publish(tenant_id=ACME, revoked=Revoked("client", 900, "c1"))
    revocation_markers.publish(tenant_id=ACME, revoked=Revoked("token", 900, "t1"))

    assert ask(client_id="c2", token_id="t2").allowed
    assert ask(tenant_id=GLOBEX).allowed
    assert ask(client_id="t1", token_id="c1").allowed  # a client is no token


def test_a_marker_ends_with_the_tokens_that_it_stops(redis_server):
    know_revocations()
    revocation_markers.publish(tenant_id=ACME, revoked=Revoked("token", 1, "t1"))
    assert ask().outcome is Outcome.REVOKED
    time.sleep(1.05)

    assert ask().allowed


@pytest.mark.parametrize("revoked", EACH, ids=lambda each: each.kind)
def test_emptied_redis_is_not_an_all_clear(revoked, redis_server):
    know_revocations()
    revocation_markers.publish(tenant_id=ACME, revoked=revoked)
    redis_server.flushdb()

    unknown = ask(reads=[("get", keys.tag(ACME) + "a")])
    revocation_markers.load(tenant_id=ACME, revoked=[revoked])

    assert unknown.outcome is Outcome.UNKNOWN_REVOCATION
    assert not unknown.allowed
    assert unknown.exact
    assert unknown.values == (None,)  # read and charged: the caller asks Postgres and goes on
    assert unknown.headers["RateLimit"].startswith('"read";r=99;')
    assert ask().outcome is Outcome.REVOKED


def test_an_unknown_caller_is_limited_all_the_same():
    assert ask(cost=100).outcome is Outcome.UNKNOWN_REVOCATION
    assert ask().outcome is Outcome.RATE_LIMITED


def test_a_marker_counts_also_while_the_generation_is_missing():
    revocation_markers.publish(tenant_id=ACME, revoked=Revoked("client", 900, "c1"))

    assert ask().outcome is Outcome.REVOKED


def test_the_generation_is_loaded_again_after_its_time(redis_server):
    revocation_markers.load(tenant_id=ACME, revoked=[], generation_seconds=1)
    assert ask().allowed
    time.sleep(1.05)

    assert ask().outcome is Outcome.UNKNOWN_REVOCATION


def test_without_redis_a_push_says_so(own_server):
    own_server.kill()

    assert not revocation_markers.publish(tenant_id=ACME, revoked=EACH[0])
    assert not revocation_markers.withdraw(tenant_id=ACME, revoked=EACH[0])
