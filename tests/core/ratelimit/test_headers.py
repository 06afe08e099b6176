"""The headers parse as structured fields and say what the limiter knows."""

import pytest

from core.ratelimit import Outcome, Quota, RateLimit
from tests.core.ratelimit.calls import ask, know_revocations, limits
from tests.core.ratelimit.structured_fields import Malformed, parse_list


@pytest.fixture(autouse=True)
def _ready(redis_server):
    know_revocations()


def test_policy_and_state_name_the_same_policies():
    headers = ask(limits=limits(quota=Quota(5000))).headers

    policies, states = parse_list(headers["RateLimit-Policy"]), parse_list(headers["RateLimit"])

    assert [name for name, _ in policies] == [name for name, _ in states] == ["read", "quota"]
    assert policies[0][1] == {"q": 100, "w": 86_400}
    assert policies[1][1]["q"] == 5000
    assert policies[1][1]["w"] in {28 * 86_400, 29 * 86_400, 30 * 86_400, 31 * 86_400}
    assert states[0][1] == {"r": 99, "t": 864}
    assert states[1][1]["r"] == 4999
    assert 0 < states[1][1]["t"] <= policies[1][1]["w"]


def test_a_refusal_says_the_same_time_twice():
    ask(cost=100)

    refused = ask()

    [(name, state)] = parse_list(refused.headers["RateLimit"])
    assert (name, state["r"]) == ("read", 0)
    assert refused.headers["Retry-After"] == str(state["t"]) == str(refused.retry_after_seconds)


def test_a_quota_refusal_waits_for_the_next_month():
    spent = limits(quota=Quota(0))

    refused = ask(limits=spent)

    [(_, rate), (_, quota)] = parse_list(refused.headers["RateLimit"])
    assert refused.outcome is Outcome.QUOTA_EXCEEDED
    assert rate["r"] == 100  # nothing was charged
    assert quota["r"] == 0
    assert refused.headers["Retry-After"] == str(quota["t"])


def test_a_quota_alone_has_headers_too():
    headers = ask(limits=limits(rate=None, quota=Quota(3))).headers

    assert [name for name, _ in parse_list(headers["RateLimit-Policy"])] == ["quota"]
    assert parse_list(headers["RateLimit"])[0][1]["r"] == 2


def test_an_unlimited_quota_is_counted_but_not_announced():
    decision = ask(limits=limits(quota=Quota(None)))

    assert decision.quota_used == 1
    assert [name for name, _ in parse_list(decision.headers["RateLimit"])] == ["read"]


@pytest.mark.parametrize(
    "text", ['"read";q=100;w=60,', '"read" q=1', '"read";Q=1', "'read';q=1", '"read";q=1.', '"re"ad";q=1']
)
def test_the_parser_of_these_tests_is_strict(text):
    with pytest.raises(Malformed):
        parse_list(text)


@pytest.mark.parametrize("name", ["", "Read", 'a"b', "a b", "1st", "x" * 33, "quota"])
def test_no_policy_has_a_name_that_a_header_could_not_carry(name):
    with pytest.raises(ValueError, match="name"):
        RateLimit(name, 1, 1, 1)


@pytest.mark.parametrize("wrong", [{"count": 0}, {"window_seconds": 0}, {"burst": 0}, {"count": 10**15}])
def test_no_limit_has_a_number_that_a_header_could_not_carry(wrong):
    with pytest.raises(ValueError, match=rf"{next(iter(wrong))} must be from 1 to 999999999999999"):
        RateLimit(**{"name": "read", "count": 1, "window_seconds": 1, "burst": 1, **wrong})
