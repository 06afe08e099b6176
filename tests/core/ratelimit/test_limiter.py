"""One request: what it may do, what it is told, what it reads, and how often it asks Redis."""

import pytest

from core import redis
from core.ratelimit import Outcome, Quota, RateLimit, keys, lua_script
from tests.core.ratelimit.calls import ACME, GLOBEX, HUNDRED, ask, count, know_revocations, limits


@pytest.fixture(autouse=True)
def _ready(redis_server):
    know_revocations()


def test_admits_and_says_what_is_left():
    decision = ask(limits=limits(quota=Quota(1000)))

    assert decision.allowed
    assert decision.outcome is Outcome.ADMITTED
    assert decision.exact
    assert decision.quota_used == 1
    assert decision.retry_after_seconds is None
    assert decision.headers["RateLimit-Policy"].startswith('"read";q=100;w=86400, "quota";q=1000;w=')
    assert decision.headers["RateLimit"].startswith('"read";r=99;t=864, "quota";r=999;t=')
    assert "Retry-After" not in decision.headers


def test_refuses_the_request_after_the_last(redis_server):
    from core.ratelimit.metrics import RATE_LIMIT_REJECTED

    before = count(RATE_LIMIT_REJECTED.labels("read"))
    outcomes = [ask().outcome for _ in range(103)]

    assert outcomes == [Outcome.ADMITTED] * 100 + [Outcome.RATE_LIMITED] * 3
    assert count(RATE_LIMIT_REJECTED.labels("read")) - before == 3


def test_one_tenants_exhaustion_does_not_touch_another():
    ask(cost=100)

    assert not ask().allowed
    assert ask(tenant_id=GLOBEX).allowed


def test_one_class_does_not_touch_another():
    both = limits()
    both = type(both)(rates={"read": HUNDRED, "write": RateLimit("write", 5, 86_400, 5)})
    ask(limits=both, cost=100)

    assert not ask(limits=both).allowed
    assert ask(limits=both, endpoint_class="write").headers["RateLimit"].startswith('"write";r=4;')


def test_a_batch_costs_its_number_of_people():
    assert ask(cost=60).headers["RateLimit"].startswith('"read";r=40;')
    assert ask(cost=41).outcome is Outcome.RATE_LIMITED
    assert ask(cost=40).allowed
    assert not ask().allowed


def test_a_batch_larger_than_the_burst_waits_for_a_full_bucket_and_is_charged_in_full(redis_server):
    small = limits(RateLimit("read", count=1000, window_seconds=1, burst=10))

    first, second = ask(limits=small, cost=200), ask(limits=small, cost=200)

    assert first.allowed
    assert first.headers["RateLimit"] == '"read";r=0;t=1'
    assert second.outcome is Outcome.RATE_LIMITED
    left = redis_server.pttl(keys.rate(ACME, "read"))
    assert 150 < left <= 201  # 200 units of 1 ms


def test_unlimited_is_unlimited_and_has_no_headers():
    decisions = [ask(limits=limits(rate=None)) for _ in range(150)]

    assert all(decision.allowed for decision in decisions)
    assert decisions[-1].headers == {}
    assert decisions[-1].quota_used is None


def test_a_class_without_a_limit_in_the_plan_is_an_error_and_not_unlimited():
    with pytest.raises(KeyError, match="ai"):
        ask(endpoint_class="ai")


@pytest.mark.parametrize("cost", [0, -5])
def test_nothing_is_free_and_nothing_gives_back(cost):
    with pytest.raises(ValueError, match="at least 1 unit"):
        ask(cost=cost)


def test_reads_come_back_in_order(redis_server):
    tag = keys.tag(ACME)
    redis_server.set(f"{tag}a", b"\x00one")
    redis_server.hset(f"{tag}h", mapping={"x": "1", "": "2"})
    redis_server.rpush(f"{tag}list", "not a string")

    decision = ask(
        reads=[
            ("hgetall", f"{tag}h"),
            ("get", f"{tag}a"),
            ("get", f"{tag}missing"),
            ("hgetall", f"{tag}missing"),
            ("get", f"{tag}list"),
            ("hgetall", f"{tag}list"),
            ("get", f"{tag}a"),
        ]
    )

    assert decision.values == ({b"x": b"1", b"": b"2"}, b"\x00one", None, {}, None, {}, b"\x00one")


def test_a_refused_request_reads_nothing(redis_server):
    key = keys.tag(ACME) + "a"
    redis_server.set(key, "secret")
    ask(cost=100)
    redis_server.config_resetstat()

    refused = ask(reads=[("get", key)])

    assert refused.values is None
    gets = redis_server.info("commandstats")["cmdstat_get"]["calls"]
    assert gets == 1  # the rate limit's own
    assert ask(tenant_id=GLOBEX, reads=[("get", keys.tag(GLOBEX) + "a")]).values == (None,)


@pytest.mark.parametrize("key", ["{t:2}:a", "{t:11}:a", "a", "{t:1}"])
def test_another_tenants_key_is_not_read(key):
    with pytest.raises(ValueError, match=r"must begin with \{t:1\}:"):
        ask(reads=[("get", key)])


def test_everything_is_one_round_trip(round_trips):
    tag = keys.tag(ACME)
    asked = {"limits": limits(quota=Quota(1000)), "reads": [("get", f"{tag}a"), ("hgetall", f"{tag}b")]}
    ask(**asked)
    round_trips.clear()

    for _ in range(20):
        ask(**asked)

    assert len(round_trips) == 20
    assert redis.client().get(f"{tag}a") is None
    assert len(round_trips) == 21  # each separate read would have shown


def test_goes_on_where_the_server_does_not_know_the_script(redis_server, monkeypatch):
    """Not by SCRIPT FLUSH, which would cost the tests beside this one a round trip."""
    ask()
    monkeypatch.setattr(lua_script, "_SHA", "0" * 40)

    assert ask().headers["RateLimit"].startswith('"read";r=98;')
    assert ask().headers["RateLimit"].startswith('"read";r=97;')


def test_all_keys_lie_in_one_slot_of_a_cluster(redis_server):
    from redis.crc import key_slot

    ask(limits=limits(quota=Quota(10)), reads=[("get", keys.tag(ACME) + "x")])
    know_revocations(ACME)

    slots = {key_slot(key) for key in redis_server.keys("*{t:1}*")}

    assert len(redis_server.keys("*{t:1}*")) >= 4
    assert len(slots) == 1
