"""Rate limits by address for requests without a token, with Redis and without."""

import pytest
from django.test import Client
from prometheus_client import REGISTRY

from tests.outages import redis_away

PAGES = ["/api/docs/", "/api/redoc/", "/api/schema", "/api/schema.json", "/.well-known/jwks.json"]


def rejected(policy):
    return REGISTRY.get_sample_value("rate_limit_rejected_total", {"policy": policy}) or 0.0


def alone():
    return REGISTRY.get_sample_value("limiter_redis_errors_total") or 0.0


@pytest.fixture(autouse=True)
def _two_a_minute(settings, redis_server, db):
    settings.ADDRESS_RATES = {**settings.ADDRESS_RATES, "admin_login": "2/h", "public": "2/h"}


def ask(path, address="192.0.2.1", method="get"):
    return getattr(Client(raise_request_exception=False), method)(path, REMOTE_ADDR=address)


@pytest.mark.parametrize("path", PAGES)
def test_documents_are_limited_and_say_when_to_come_back(path):
    before = rejected("public")
    codes = [ask(path).status_code for _ in range(2)]

    refused = ask(path)

    assert codes == [200, 200]
    assert (refused.status_code, refused["Content-Type"]) == (429, "application/problem+json")
    assert refused.json()["code"] == "rate_limited"
    assert 1 <= int(refused["Retry-After"]) <= 3600
    assert rejected("public") - before == 1
    assert ask(path, "192.0.2.2").status_code == 200


def test_addresses_of_one_ipv6_network_count_together():
    assert [ask(PAGES[-1], f"2001:db8::{n}").status_code for n in range(1, 4)] == [200, 200, 429]
    assert ask(PAGES[-1], "2001:db8:0:1::1").status_code == 200


def test_attempts_to_log_in_to_the_admin_are_limited_and_its_form_is_not(db):
    before = rejected("admin_login")
    forms = [ask("/admin/login/").status_code for _ in range(4)]
    codes = [ask("/admin/login/?next=/admin/", method="post").status_code for _ in range(3)]

    assert (forms, codes) == ([200] * 4, [200, 200, 429])
    assert ask("/admin/login/", method="post")["Content-Type"] == "application/problem+json"
    assert rejected("admin_login") - before == 2


@pytest.mark.parametrize("path", [PAGES[-1], "/admin/login/"])
def test_without_redis_each_process_limits_by_itself(db, settings, path):
    settings.ADDRESS_RATES = dict.fromkeys(settings.ADDRESS_RATES, "40/m")
    settings.RATE_LIMIT_PROCESSES = 2
    before = alone()
    with redis_away():
        codes = [ask(path, method="post" if "admin" in path else "get").status_code for _ in range(6)]
        other = ask(path, "192.0.2.2", method="post" if "admin" in path else "get").status_code

    assert codes == [200, 200, 429, 429, 429, 429]  # 40, halved, between two, a fifth at once
    assert other == 200
    assert alone() - before == 7


def test_a_count_that_was_lost_between_two_commands_is_judged_alone(redis_server, monkeypatch):
    """django-ratelimit reads a lost count as an exceeded limit of 0."""
    lost = {"count": 0, "limit": 0, "should_limit": True, "time_left": -1}
    monkeypatch.setattr("core.ratelimit.ip_rate_limit.get_usage", lambda *_, **__: lost)

    assert ask(PAGES[-1]).status_code == 200
    assert ask(PAGES[-1]).status_code == 429
