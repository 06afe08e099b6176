"""GET /usage."""

from decimal import Decimal

import pytest

from accounts.limits import usage
from accounts.models import Plan
from accounts.tenancy import scope, tenant_cache
from core import clock
from core.ratelimit import billing_periods
from recommendations.models import AIBudget, AILimit
from tests.core.ratelimit.structured_fields import parse_list
from tests.outages import redis_away

URL, ITEMS = "/api/v1/usage", "/api/v1/items"


def grant(member, **limits):
    with scope.all_tenants("test: a plan"):
        member.tenant.plan = Plan.objects.update_or_create(name=f"of {member.tenant.slug}", defaults=limits)[0]
        member.tenant.save(update_fields=["plan"])
    tenant_cache.load()


@pytest.fixture
def acme(cast):
    grant(cast.acme, read_per_minute=100, read_burst=50, write_per_minute=None, requests_per_month=10)
    return cast.acme


def test_tells_the_plan_and_what_is_used_and_left(acme):
    for _ in range(3):
        acme.http.get(ITEMS)

    body = acme.http.get(URL).json()

    assert body["plan"] == {
        "name": "of acme",
        "read": {"per_minute": 100, "burst": 50},
        "write": {"per_minute": None, "burst": None},
        "on_quota": "reject",
    }
    month = billing_periods.month_at(clock.now())
    assert {**body["quota"], "resets_at": ""} == {
        "month": month.name, "limit": 10, "used": 3, "left": 7, "resets_at": "", "warnings": []
    }  # fmt: skip
    assert body["quota"]["resets_at"].endswith("-01T00:00:00Z")


def test_asking_takes_nothing_of_the_month_and_goes_on_when_it_is_used_up(acme):
    answers = [acme.http.get(ITEMS).status_code for _ in range(11)]
    usage.flush(now=clock.now())

    found = [acme.http.get(URL) for _ in range(3)]

    assert answers == [200] * 10 + [429]
    for response in found:
        quota = response.json()["quota"]
        assert (response.status_code, quota["used"], quota["left"]) == (200, 10, 0)
        assert [each["percent"] for each in quota["warnings"]] == [100, 80]
        assert set(dict(parse_list(response["RateLimit"]))) == {"read"}


def test_the_rate_of_reads_holds(acme):
    grant(acme, read_per_minute=1, read_burst=1)

    assert [acme.http.get(URL).status_code for _ in range(2)] == [200, 429]


def test_tells_what_ai_has_cost_and_may_cost(acme, settings):
    settings.AI_BUDGET_TENANT_MONTH_TOKENS = "1000"
    today = clock.now().date()
    with scope.tenant(acme.tenant.pk):
        AILimit.objects.create(tenant=acme.tenant, day_usd=Decimal("2.5"))
        common = {"tenant": acme.tenant, "spent_nano_usd": 500_000_000, "spent_tokens": 300}
        AIBudget.objects.create(period="day", starts_on=today, reserved_nano_usd=250_000_000, **common)
        AIBudget.objects.create(period="month", starts_on=today.replace(day=1), reserved_tokens=800, **common)

    ai = acme.http.get(URL).json()["ai"]

    assert ai["day"]["starts_on"] == today.isoformat()
    assert [ai["day"][f"{name}_usd"] for name in ("limit", "spent", "reserved", "left")] == [2.5, 0.5, 0.25, 1.75]
    assert (ai["day"]["limit_tokens"], ai["day"]["left_tokens"]) == (None, None)
    assert [ai["month"][f"{name}_tokens"] for name in ("limit", "spent", "reserved", "left")] == [1000, 300, 800, 0]
    assert set(ai) == {"day", "month"}  # the deployment's is nobody's business


def test_without_redis_it_is_what_postgres_knows(acme):
    for _ in range(4):
        acme.http.get(ITEMS)
    usage.flush(now=clock.now())
    acme.http.get(ITEMS)

    with redis_away():
        assert acme.http.get(URL).json()["quota"]["used"] == 4


def test_after_a_loss_of_redis_too(acme, redis_server):
    for _ in range(4):
        acme.http.get(ITEMS)
    usage.flush(now=clock.now())
    redis_server.flushdb()

    assert acme.http.get(URL).json()["quota"]["used"] == 4


def test_is_each_tenant_s_own(acme, cast):
    acme.http.get(ITEMS)
    stranger = cast.globex.http.get(URL).json()

    assert (stranger["plan"]["name"], stranger["quota"]["used"]) == ("Test", 0)


def test_needs_its_scope(cast):
    assert cast.anonymous.get(URL).status_code == 401
    assert cast.acme.reader.http.get(URL).status_code == 200


def test_is_not_sent_again_while_nothing_changed(acme):
    tag = acme.http.get(URL)["ETag"]

    assert acme.http.get(URL, headers={"If-None-Match": tag}).status_code == 304
    acme.http.get(ITEMS)
    assert acme.http.get(URL, headers={"If-None-Match": tag}).status_code == 200
