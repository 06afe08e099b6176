"""Limits of a plan, over the whole stack: who is charged what, and what a refusal says."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.limits import usage
from accounts.models import Plan, TenantUsage
from accounts.tenancy import scope, tenant_cache
from accounts.tokens import access_tokens
from core import clock, redis
from core.ratelimit import billing_periods, keys
from recommendations.models import Item
from tests.core.ratelimit.structured_fields import parse_list
from tests.outages import postgres_away, redis_away
from tests.recommendations.lists import publish

ITEMS = [f"i{n:03}" for n in range(40)]
POPULAR = ITEMS[::-1]
LIST, ITEM = "/api/v1/users/ann/recommendations", "/api/v1/items/i000"


@pytest.fixture
def acme(cast):
    publish(cast.acme.tenant, people={"ann": ITEMS}, items=ITEMS, popular=POPULAR, similar={"i001": ITEMS[2:30]})
    return cast.acme


def grant(member, **limits):
    """A plan of the tenant's own; slow enough to come back, so that nothing does while a test runs."""
    with scope.all_tenants("test: a plan"):
        before = Plan.objects.get(name="Test")
        given = {"read_per_minute": None, "write_per_minute": None, "requests_per_month": None, **limits}
        plan = Plan.objects.create(name=f"{before.name} of {member.tenant.slug}", **given)
        member.tenant.plan = plan
        member.tenant.save(update_fields=["plan"])
    tenant_cache.load()


def left(response, policy="read"):
    return dict(parse_list(response["RateLimit"]))[policy]["r"]


class TestHeaders:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            (LIST, 200),
            (ITEM, 200),
            (LIST + "?limit=0", 422),
            (LIST + "?placement=nowhere", 404),
            ("/api/v1/users/a%0Ab/recommendations", 422),
            ("/api/v1/items/none/similar", 404),
            ("/api/v1/items/none", 404),
            ("/api/v1/items?limit=x", 422),
        ],
    )
    def test_are_on_every_answer_and_each_request_is_charged_once(self, acme, path, status):
        grant(acme, read_per_minute=9, read_burst=9, requests_per_month=1000)

        response = acme.http.get(path)

        assert response.status_code == status
        assert parse_list(response["RateLimit-Policy"])[0] == ("read", {"q": 9, "w": 60})
        assert (left(response), left(response, "quota")) == (8, 999)
        assert left(acme.http.get(path)) == 7

    @pytest.mark.parametrize("path", [LIST, ITEM])
    def test_are_on_an_answer_without_a_body(self, acme, path):
        grant(acme, read_per_minute=9, read_burst=9)
        etag = acme.http.get(path)["ETag"]

        response = acme.http.get(path, headers={"If-None-Match": etag})

        assert (response.status_code, left(response)) == (304, 7)

    @pytest.mark.parametrize("path", [LIST, ITEM])
    def test_a_method_that_does_not_exist_is_not_charged(self, acme, path):
        grant(acme, read_per_minute=9, read_burst=9, write_per_minute=9, write_burst=9)

        assert acme.http.post(path, {}, format="json").status_code == 405
        assert left(acme.http.get(path)) == 8

    def test_a_batch_that_is_no_json_is_charged_as_one(self, acme):
        grant(acme, read_per_minute=9, read_burst=9)

        response = acme.http.post("/api/v1/recommendations/batch", "{", content_type="application/json")

        assert (response.status_code, left(response)) == (400, 8)

    @pytest.mark.parametrize("path", [LIST, ITEM])
    def test_who_is_refused_before_is_not_charged(self, acme, cast, path):
        grant(acme, read_per_minute=9, read_burst=9)
        token = access_tokens.issue(client=acme.admin.client, scopes=["privacy:write"], now=clock.now())

        for status, header in ((401, ""), (401, "Bearer x"), (403, f"Bearer {token}")):
            response = cast.anonymous.get(path, headers={"Authorization": header} if header else {})
            assert response.status_code == status
            assert "RateLimit" not in response
        assert left(acme.http.get(path)) == 8

    def test_are_none_where_the_plan_has_no_limit(self, acme):
        assert "RateLimit" not in acme.http.get(LIST)

    def test_pages_may_read_them(self, settings):
        assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(settings.CORS_EXPOSE_HEADERS)


class TestRate:
    @pytest.mark.parametrize("path", [LIST, ITEM, LIST + "?limit=0"])
    def test_too_much_is_a_problem_that_says_when(self, acme, path):
        grant(acme, read_per_minute=2, read_burst=1)
        acme.http.get(path)

        refused = acme.http.get(path)

        assert refused.status_code == 429
        assert refused["Content-Type"] == "application/problem+json"
        assert refused.json()["code"] == "rate_limited"
        assert refused.json()["type"].endswith("/rate_limited")
        assert 28 <= int(refused["Retry-After"]) <= 30
        assert left(refused) == 0
        assert refused["Cache-Control"] == "no-store"

    def test_a_refused_write_writes_nothing(self, acme):
        grant(acme, write_per_minute=1, write_burst=1)
        assert acme.http.put("/api/v1/items/new1", {"title": "x"}, format="json").status_code == 201

        assert acme.http.put("/api/v1/items/new2", {"title": "x"}, format="json").status_code == 429
        with scope.tenant(acme.tenant.pk):
            assert list(Item.objects.filter(item_id__startswith="new").values_list("item_id", flat=True)) == ["new1"]

    def test_reading_and_writing_are_apart(self, acme):
        grant(acme, read_per_minute=1, read_burst=1, write_per_minute=1, write_burst=1)

        assert acme.http.put("/api/v1/items/new1", {"title": "x"}, format="json").status_code == 201
        assert acme.http.get(ITEM).status_code == 200
        assert acme.http.get(LIST).status_code == 429

    def test_is_the_tenant_s_and_no_other_s(self, acme, cast):
        grant(acme, read_per_minute=1, read_burst=1)
        grant(cast.globex, read_per_minute=1, read_burst=1)
        acme.http.get(ITEM)

        assert acme.reader.http.get(ITEM).status_code == 429  # a second client has no second limit
        assert cast.globex.http.get("/api/v1/items").status_code == 200

    def test_a_batch_of_lists_is_a_read_and_costs_its_people(self, acme):
        grant(acme, read_per_minute=9, read_burst=9, write_per_minute=1, write_burst=1)

        answers = [
            acme.http.post("/api/v1/recommendations/batch", {"user_ids": ["ann", "bob", "eve"]}, format="json")
            for _ in range(4)
        ]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [left(answer) for answer in answers] == [6, 3, 0, 0]

    def test_another_plan_holds_within_the_directory_s_time(self, acme):
        grant(acme, read_per_minute=1, read_burst=1)
        acme.http.get(ITEM)
        with scope.all_tenants("test: a better plan"):
            Plan.objects.filter(pk=acme.tenant.plan_id).update(read_per_minute=None)
        tenant_cache.load()

        assert acme.http.get(ITEM).status_code == 200


class TestQuota:
    def test_used_up_is_refused_until_the_month_ends(self, acme):
        grant(acme, requests_per_month=2)
        statuses = [acme.http.get(path).status_code for path in (LIST, ITEM)]

        refused = [acme.http.get(LIST), acme.http.get(ITEM), acme.http.delete(ITEM)]

        assert statuses == [200, 200]
        for response in refused:
            assert (response.status_code, response.json()["code"]) == (429, "quota_exceeded")
            end = billing_periods.month_at(clock.now()).end
            assert abs(int(response["Retry-After"]) - (end - clock.now().timestamp())) < 5
            assert left(response, "quota") == 0

    def test_used_up_gives_the_static_list_where_the_plan_says_so(self, acme):
        grant(acme, requests_per_month=1, on_quota="static")
        assert acme.http.get(LIST).json()["source"] == "model"

        answers = [acme.http.get(path) for path in (LIST, "/api/v1/items/i001/similar")]
        answers.append(acme.http.get("/api/v1/recommendations/popular"))
        batch = acme.http.post("/api/v1/recommendations/batch", {"user_ids": ["ann", "bob"]}, format="json")

        for body in [*(answer.json() for answer in answers), *batch.json()["data"]]:
            assert (body["source"], body["degraded"]) == ("popular", "quota")
            assert [item["item_id"] for item in body["items"]] == POPULAR[:20]
        assert acme.http.get(ITEM).json()["code"] == "quota_exceeded"

    def test_survives_the_loss_of_redis(self, acme):
        grant(acme, requests_per_month=3)
        for _ in range(3):
            acme.http.get(ITEM)
        usage.flush(now=clock.now())
        redis.client().flushdb()

        answers = [acme.http.get(ITEM).status_code for _ in range(3)]

        assert answers == [200, 429, 429]  # the first one finds out

    def test_a_loss_while_postgres_is_away_too_is_no_error(self, committed_db, acme):
        grant(acme, requests_per_month=3)
        acme.http.get(LIST)
        with scope.tenant(acme.tenant.pk):
            TenantUsage.objects.create(tenant=acme.tenant, month=billing_periods.month_at(clock.now()).name, used=3)
        redis.client().unlink(keys.generation(acme.tenant.pk))

        with postgres_away():
            assert acme.http.get(LIST).status_code == 200


class TestRoundTrips:
    def test_a_throttled_view_costs_one(self, acme, round_trips):
        acme.http.get(ITEM)
        round_trips.clear()

        with CaptureQueriesContext(connection) as warm:
            acme.http.get(ITEM)

        assert len(round_trips) == 1
        assert not [query for query in warm if "usage" in query["sql"]]


class TestWithoutRedis:
    def test_nobody_gets_an_error_and_nobody_is_unlimited(self, acme, settings):
        settings.RATE_LIMIT_PROCESSES = 2
        grant(acme, read_per_minute=100, read_burst=100, requests_per_month=1000)
        acme.http.get(ITEM)

        with redis_away():
            answers = [acme.http.get(path) for _ in range(20) for path in (LIST, ITEM)]

        served = [answer for answer in answers if answer.status_code == 200]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(served) + len(refused) == 40
        assert 10 <= len(served) <= 15  # a fifth of its half at once, and what came back meanwhile
        assert all(int(answer["Retry-After"]) >= 1 for answer in refused)
        assert served[0].json()["source"] == "model"
