"""GET /users/{id}/recommendations and its relatives, over the whole stack."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import FeatureFlag
from accounts.tenancy import scope, tenant_cache
from core import redis
from recommendations.cache import keys, list_cache, publish_availability
from recommendations.models import EndUser, Item
from tests.recommendations.lists import NOW, body, publish

ITEMS = [f"i{n:03}" for n in range(100)]
POPULAR = list(reversed(ITEMS))
URL = "/api/v1/users/{}/recommendations"


@pytest.fixture
def acme(cast):
    publish(cast.acme.tenant, people={"ann": ITEMS}, items=ITEMS, popular=POPULAR, similar={"i001": ITEMS[2:30]})
    return cast.acme


def ids(response):
    assert response.status_code == 200, response.content
    return [item["item_id"] for item in response.json()["items"]]


class TestAnswer:
    def test_holds_the_list_and_how_it_was_made(self, acme):
        answer = acme.http.get(URL.format("ann")).json()

        assert answer["source"] == "model"
        assert answer["degraded"] is None
        assert answer["user_id"] == "ann"
        assert answer["placement"] == "home"
        assert answer["items"][0] == {
            "item_id": "i000",
            "rank": 1,
            "score": 100.0,
            "reason": "Because you liked X",
            "evidence": [{"item_id": "h1"}],
        }
        assert len(answer["items"]) == 20

    def test_a_warm_read_is_one_redis_round_trip_and_no_sql(self, acme, round_trips):
        acme.http.get(URL.format("ann"))
        round_trips.clear()

        with CaptureQueriesContext(connection) as queries:
            response = acme.http.get(URL.format("ann"))

        assert response.status_code == 200
        assert len(round_trips) == 1
        assert len(queries) == 0

    def test_the_same_list_has_the_same_bytes_id_and_validator(self, acme):
        first, second = acme.http.get(URL.format("ann")), acme.http.get(URL.format("ann"))

        assert first.content == second.content
        assert first["ETag"] == second["ETag"]
        assert first["Cache-Control"] == "private, no-cache"

    def test_an_unchanged_list_is_304_without_a_body(self, acme):
        etag = acme.http.get(URL.format("ann"))["ETag"]

        again = acme.http.get(URL.format("ann"), headers={"If-None-Match": etag})

        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)

    def test_comes_from_postgres_when_redis_was_emptied_and_goes_back(self, acme):
        redis.client().flushdb()

        assert ids(acme.http.get(URL.format("ann"))) == ITEMS[:20]
        key = keys.user_list(acme.tenant.pk, "home", "ann")
        assert redis.client().exists(key) == 1

    def test_include_item_and_explain(self, acme):
        item = acme.http.get(URL.format("ann") + "?include=item&explain=true&limit=1").json()["items"][0]

        assert item["item"]["title"] == "Title i000"
        assert item["explain"] == {"part": "item_item"}

    def test_exclude_and_category(self, acme):
        with scope.tenant(acme.tenant.pk):
            Item.objects.filter(item_id__in=["i005", "i050"]).update(categories=["Drama"])

        assert ids(acme.http.get(URL.format("ann") + "?category=Drama")) == ["i005", "i050"]
        assert ids(acme.http.get(URL.format("ann") + "?category=Drama&exclude=i005")) == ["i050"]

    @pytest.mark.parametrize(
        ("query", "pointer"),
        [
            ("limit=0", "/limit"),
            ("limit=101", "/limit"),
            ("limit=x", "/limit"),
            ("colour=red", "/colour"),
            ("cursor=zzz", "/cursor"),
            ("include=everything", "/include"),
            ("&".join(f"exclude=x{n}" for n in range(101)), "/exclude"),
        ],
    )
    def test_a_bad_option_is_named(self, acme, query, pointer):
        response = acme.http.get(URL.format("ann") + "?" + query)

        assert response.status_code == 422
        assert response["Content-Type"] == "application/problem+json"
        assert response.json()["errors"][0]["pointer"] == pointer


class TestWalk:
    def test_reaches_every_item_once(self, acme):
        seen, url = [], URL.format("ann") + "?limit=30"
        answer = acme.http.get(url).json()
        while True:
            seen += answer["items"]
            if answer["next"] is None:
                break
            answer = acme.http.get(f"{url}&cursor={answer['next']}").json()

        assert [item["item_id"] for item in seen] == ITEMS
        assert [item["rank"] for item in seen] == list(range(1, 101))

    def test_never_repeats_an_item_when_another_list_is_published_in_between(self, acme):
        first = acme.http.get(URL.format("ann")).json()
        new = body("ann", POPULAR, build=10**6)
        list_cache.set_many([(keys.user_list(acme.tenant.pk, "home", "ann"), new)])

        second = acme.http.get(URL.format("ann") + f"?cursor={first['next']}").json()

        shown = {item["item_id"] for item in first["items"]}
        assert not shown & {item["item_id"] for item in second["items"]}
        assert [item["item_id"] for item in second["items"]] == POPULAR[:20]


class TestWithdrawnItems:
    def test_are_in_no_answer_and_the_page_stays_full(self, acme):
        acme.http.get(URL.format("ann"))

        publish_availability(acme.tenant.pk, {"i000": 0.0, "i003": 0.0})

        assert ids(acme.http.get(URL.format("ann"))) == [i for i in ITEMS if i not in ("i000", "i003")][:20]

    def test_come_back_when_they_may_be_shown_again(self, acme):
        publish_availability(acme.tenant.pk, {"i000": 0.0})
        publish_availability(acme.tenant.pk, {"i000": None})

        assert ids(acme.http.get(URL.format("ann")))[0] == "i000"

    def test_are_known_again_after_redis_was_emptied(self, acme):
        with scope.tenant(acme.tenant.pk):
            Item.objects.filter(item_id="i000").update(hidden=True, updated_at=NOW + timedelta(hours=1))
        redis.client().flushdb()

        assert "i000" not in ids(acme.http.get(URL.format("ann")))
        assert "i000" not in ids(acme.http.get("/api/v1/recommendations/popular?limit=100"))


class TestLadder:
    def test_an_unknown_person_gets_what_is_popular(self, acme):
        answer = acme.http.get(URL.format("nobody")).json()

        assert [item["item_id"] for item in answer["items"]] == POPULAR[:20]
        assert (answer["source"], answer["degraded"], answer["user_id"]) == ("popular", "unknown_user", "nobody")

    def test_a_person_whom_no_build_has_seen_gets_what_is_popular(self, acme):
        with scope.tenant(acme.tenant.pk):
            EndUser.objects.create(tenant=acme.tenant, user_id="new")

        answer = acme.http.get(URL.format("new")).json()

        assert (answer["source"], answer["degraded"]) == ("popular", "no_build")

    def test_a_tenant_without_a_build_gets_the_latest(self, cast):
        with scope.tenant(cast.globex.tenant.pk):
            for age, item_id in enumerate(["new", "old"]):
                Item.objects.create(tenant=cast.globex.tenant, item_id=item_id, created_at=NOW - timedelta(days=age))

        answer = cast.globex.http.get(URL.format("ann")).json()

        assert [item["item_id"] for item in answer["items"]] == ["new", "old"]
        assert (answer["source"], answer["degraded"]) == ("static", "no_build")

    def test_another_list_of_the_same_minute_has_another_validator(self, cast):
        seen = []
        for item_id in ["old", "new"]:
            with scope.tenant(cast.globex.tenant.pk):
                Item.objects.create(tenant=cast.globex.tenant, item_id=item_id)
            redis.client().flushdb()  # the seconds for which it is kept are over
            seen.append(cast.globex.http.get(URL.format("ann")))

        assert seen[0]["ETag"] != seen[1]["ETag"]
        assert seen[0].json()["recommendation_id"] != seen[1].json()["recommendation_id"]

    def test_a_tenant_without_items_gets_an_empty_list_that_says_so(self, cast):
        answer = cast.globex.http.get(URL.format("ann")).json()

        assert (answer["items"], answer["source"], answer["degraded"]) == ([], "static", "no_items")

    def test_another_tenants_list_is_never_served(self, acme, cast):
        answer = cast.globex.http.get(URL.format("ann")).json()

        assert answer["items"] == []


class TestFlag:
    def test_off_gives_the_popular_list_and_says_so(self, acme):
        with scope.tenant(acme.tenant.pk):
            FeatureFlag.objects.create(tenant=acme.tenant, name="recommendations", percent=0)
        tenant_cache.load()

        answer = acme.http.get(URL.format("ann")).json()

        assert (answer["source"], answer["degraded"]) == ("popular", "flag")
        assert [item["item_id"] for item in answer["items"]] == POPULAR[:20]

    def test_off_costs_no_sql_either_when_warm(self, acme):
        with scope.tenant(acme.tenant.pk):
            FeatureFlag.objects.create(tenant=acme.tenant, name="recommendations", percent=0)
        tenant_cache.load()
        acme.http.get(URL.format("ann"))

        with CaptureQueriesContext(connection) as queries:
            acme.http.get(URL.format("ann"))

        assert len(queries) == 0


class TestRelatives:
    def test_batch_answers_in_the_order_asked(self, acme):
        response = acme.http.post(
            "/api/v1/recommendations/batch", {"user_ids": ["nobody", "ann"], "limit": 3}, format="json"
        )

        answers = response.json()["data"]
        assert [answer["user_id"] for answer in answers] == ["nobody", "ann"]
        assert [answer["source"] for answer in answers] == ["popular", "model"]
        assert [len(answer["items"]) for answer in answers] == [3, 3]

    def test_similar_items(self, acme):
        answer = acme.http.get("/api/v1/items/i001/similar?limit=5").json()

        assert [item["item_id"] for item in answer["items"]] == ITEMS[2:7]
        assert answer["user_id"] is None

    def test_similar_to_an_untouched_item_is_what_is_popular(self, acme):
        assert acme.http.get("/api/v1/items/i050/similar").json()["source"] == "popular"

    def test_similar_to_an_unknown_item_is_404(self, acme):
        assert acme.http.get("/api/v1/items/unknown/similar").status_code == 404

    def test_popular(self, acme):
        assert ids(acme.http.get("/api/v1/recommendations/popular")) == POPULAR[:20]


class TestCallers:
    def test_nobody_is_401_with_a_challenge(self, cast):
        response = cast.anonymous.get(URL.format("ann"))

        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Bearer")
        assert json.loads(response.content)["code"] == "unauthenticated"

    def test_without_the_scope_is_403(self, cast):
        from accounts.tokens import access_tokens
        from core import clock

        token = access_tokens.issue(client=cast.acme.admin.client, scopes=["catalog:read"], now=clock.now())

        response = cast.anonymous.get(URL.format("ann"), headers={"Authorization": f"Bearer {token}"})

        assert response.status_code == 403
        assert "recommendations:read" in response.json()["detail"]
