"""A browser's token uses up its own small rate, never the tenant's: a share is kept for the backend."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts.limits import plan_limits as admitting
from accounts.models import Plan
from accounts.models.tenant import WRITE
from accounts.tenancy import scope, tenant_cache
from core import clock, ratelimit
from core.ratelimit import Outcome
from tests.accounts.api.test_end_user_token import call, issue
from tests.accounts.api.test_limits import grant, left
from tests.outages import redis_away

EVENT = {"user_id": "anna", "item_id": "a", "type": "view"}
PURCHASE = {"user_id": "43", "item_id": "a", "type": "purchase"}
SMALL = {"write_per_minute": 1200, "write_burst": 200, "browser_write_per_minute": 120, "backend_percent": 50}


def judged(tenant_id, user_id=""):
    """As the throttle judges a write; empty is the backend."""
    facts = tenant_cache.tenant(tenant_id)
    assert facts is not None
    limits, nested = facts.limits, []
    if user_id:
        limits, narrower = admitting._browser_limits(limits, facts.browsers, WRITE, user_id)
        nested = list(narrower)
    return ratelimit.check(
        tenant_id=tenant_id,
        client_id="c",
        token_id="t",
        limits=limits,
        endpoint_class=WRITE,
        now=clock.now(),
        nested=nested,
    ).outcome


def served(outcomes):
    return sum(each is not Outcome.RATE_LIMITED for each in outcomes)


@pytest.mark.parametrize("people", [["anna"], [f"p{number}" for number in range(50)]])
def test_four_threads_with_browsers_tokens_leave_the_backend_its_purchases(cast, people):
    """37 of 40 were refused when there was one budget for both."""
    grant(cast.acme, **SMALL)
    tenant_id = cast.acme.tenant.pk

    with ThreadPoolExecutor(5) as pool:
        visits = [pool.submit(lambda: [judged(tenant_id, people[n % len(people)]) for n in range(150)]) for _ in "1234"]
        purchases = pool.submit(lambda: [judged(tenant_id) for _ in range(40)])
        bought, visited = purchases.result(), [each for visit in visits for each in visit.result()]

    assert served(bought) == 40
    assert served(visited) < 200


def test_over_the_whole_stack(cast):
    grant(cast.acme, **SMALL | {"browser_write_per_minute": 10})
    token = issue(cast.acme)

    sent = [call(token, "POST", "/api/v1/events", EVENT).status_code for _ in range(8)]
    bought = [cast.acme.http.post("/api/v1/events", PURCHASE, format="json").status_code for _ in range(5)]

    assert sent.count(429) == 3
    assert 429 not in bought


def test_the_headers_tell_of_the_browsers_own_limit(cast):
    grant(cast.acme, **SMALL)

    answer = call(issue(cast.acme), "POST", "/api/v1/events", EVENT)

    assert answer["RateLimit-Policy"] == '"browser-write";q=120;w=60'
    assert left(answer, "browser-write") == 59
    assert left(cast.acme.http.post("/api/v1/events", PURCHASE, format="json"), "write") in range(197, 200)


def test_people_are_apart_and_a_new_token_is_no_new_limit(cast):
    grant(cast.acme, **SMALL | {"browser_write_per_minute": 2})
    anna, again = issue(cast.acme), issue(cast.acme)
    bert = issue(cast.acme, user_id="bert")

    codes = [call(token, "POST", "/api/v1/events", EVENT).status_code for token in (anna, again)]

    assert codes == [201, 429]
    assert call(bert, "POST", "/api/v1/events", {**EVENT, "user_id": "bert"}).status_code == 201


def test_a_batch_of_a_browser_counts_its_rows(cast):
    grant(cast.acme, **SMALL)
    rows = {"events": [{**EVENT, "event_id": str(number)} for number in range(101)]}

    assert left(call(issue(cast.acme), "POST", "/api/v1/events/batch", rows), "browser-write") == 49


def test_a_share_of_the_month_is_kept_too(cast):
    grant(cast.acme, requests_per_month=10, backend_percent=40)
    token = issue(cast.acme)  # one of them

    sent = [call(token, "POST", "/api/v1/events", EVENT).status_code for _ in range(8)]
    bought = [cast.acme.http.post("/api/v1/events", PURCHASE, format="json").status_code for _ in range(6)]

    assert [sent.count(429), bought.count(429)] == [3, 2]


def test_without_redis_as_well(cast, settings):
    settings.RATE_LIMIT_PROCESSES = 1
    grant(cast.acme, **SMALL)
    tenant_id = cast.acme.tenant.pk
    with redis_away():
        visited = [judged(tenant_id, "anna") for _ in range(150)]
        bought = [judged(tenant_id) for _ in range(12)]

    assert served(visited) <= 10
    assert served(bought) == 12


def test_a_plan_that_says_nothing_has_them():
    plan = Plan(name="New")

    assert (plan.browser_read_per_minute, plan.browser_write_per_minute, plan.backend_percent) == (240, 120, 50)
    together = plan.browser_limits().together["write"]
    assert together is not None
    assert together.count == 600


def test_a_plan_without_limits_has_none(cast):
    with scope.all_tenants("test: the plan"):
        limits = cast.acme.tenant.plan.browser_limits()

    assert (limits.each, limits.together) == ({"read": None, "write": None}, {"read": None, "write": None})
