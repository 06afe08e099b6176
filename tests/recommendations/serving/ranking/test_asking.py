"""Requests for a ranking: fields of the body, callers, and what it counts as."""

import json

import pytest
from django.test import Client

from accounts.models import Plan, Tenant
from accounts.tenancy import scope, tenant_cache
from recommendations.attribution.impression_buffer import impression_buffer
from tests.accounts.api.test_end_user_token import ORIGIN, issue
from tests.recommendations.serving.ranking.stage import ITEM_IDS, URL, ask, ids, left_out


class TestBody:
    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ({}, "/item_ids", "required"),
            ({"item_ids": []}, "/item_ids", "min_length"),
            ({"item_ids": "a"}, "/item_ids", "not_a_list"),
            ({"item_ids": {"a": 1}}, "/item_ids", "not_a_list"),
            ({"item_ids": None}, "/item_ids", "null"),
            ({"item_ids": ["a", 5]}, "/item_ids/1", "wrong_type"),
            ({"item_ids": ["a", None]}, "/item_ids/1", "not_a_string"),
            ({"item_ids": ["a", "b\n"]}, "/item_ids/1", "bad_character"),
            ({"item_ids": ["a", ""]}, "/item_ids/1", "required"),
            ({"item_ids": ["a", "b", "a"]}, "/item_ids/2", "duplicate"),
            ({"item_ids": [f"i{n}" for n in range(1001)]}, "/item_ids", "max_length"),
            ({"item_ids": ["a"], "limit": 0}, "/limit", "min_value"),
            ({"item_ids": ["a"], "limit": 1001}, "/limit", "max_value"),
            ({"item_ids": ["a"], "limit": "5"}, "/limit", "wrong_type"),
            ({"item_ids": ["a"], "rank_consumed": "yes"}, "/rank_consumed", "wrong_type"),
            ({"item_ids": ["a"], "placement": "no such name"}, "/placement", "unknown_placement"),
            ({"item_ids": ["a"], "placement": None}, "/placement", "null"),
            ({"item_ids": ["a"], "filter": "price <"}, "/filter", "bad_filter"),
            ({"item_ids": ["a"], "include": "all"}, "/include", "invalid_choice"),
            ({"item_ids": ["a"], "items": ["a"]}, "/items", "unknown"),
        ],
    )
    def test_what_is_wrong_is_named_with_its_place(self, cast, body, pointer, code):
        response = cast.acme.http.post(URL.format("ann"), body, format="json")

        assert response.status_code == 422, response.content
        assert response["Content-Type"] == "application/problem+json"
        assert (pointer, code) in {(each["pointer"], each["code"]) for each in response.json()["errors"]}

    def test_of_many_bad_ids_the_first_are_named(self, cast):
        response = cast.acme.http.post(URL.format("ann"), {"item_ids": [" "] * 900}, format="json")

        assert [each["pointer"] for each in response.json()["errors"]] == [f"/item_ids/{n}" for n in range(20)]

    def test_a_bad_person_is_named(self, cast):
        response = cast.acme.http.post("/api/v1/users/%20x/rank", {"item_ids": ["a"]}, format="json")

        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/user_id")

    def test_it_is_a_post(self, cast):
        assert cast.acme.http.get(URL.format("ann")).status_code == 405

    def test_a_thousand_are_taken(self, acme):
        answer = ask(acme.http, item_ids=[*ITEM_IDS, *(f"x{n}" for n in range(940))], rank_consumed=True)

        assert (len(answer["items"]), len(answer["left_out"])) == (60, 940)


class TestCallers:
    def browser(self, acme, user_id="u0000"):
        token = issue(acme, user_id=user_id)
        headers = {"Authorization": f"Bearer {token}", "Origin": ORIGIN}
        http = Client()

        def post(of, **body):
            return http.post(URL.format(of), json.dumps(body), "application/json", headers=headers)

        return post

    def test_a_browser_ranks_for_its_own_person_only(self, acme):
        post = self.browser(acme)

        assert post("u0000", item_ids=["i0001"]).status_code == 200
        assert post("u0001", item_ids=["i0001"]).status_code == 403

    def test_a_browser_is_not_told_what_is_hidden_from_what_there_is_not(self, acme):
        assert acme.http.patch("/api/v1/items/i0001", {"hidden": True}, format="json").status_code == 200

        told = left_out(self.browser(acme)("u0000", item_ids=["i0001", "nowhere"]).json())

        assert told == {"i0001": "unavailable", "nowhere": "unavailable"}

    def test_a_browser_s_request_is_small_and_asks_for_what_is_released(self, acme):
        post = self.browser(acme)

        many = post("u0000", item_ids=[f"i{n}" for n in range(101)])
        hidden = post("u0000", item_ids=["i0001"], filter="attributes.margin > 1")

        assert (many.status_code, many.json()["errors"][0]["code"]) == (422, "too_many")
        assert (hidden.status_code, hidden.json()["errors"][0]["code"]) == (422, "not_released")

    def test_another_tenant_s_items_and_people_are_unknown(self, acme, cast):
        answer = ask(cast.globex.http, "u0000", ["i0001", "i0002"])

        assert left_out(answer) == {"i0001": "unknown_item", "i0002": "unknown_item"}
        assert (answer["degraded"], answer["artefact"]) == ("no_build", None)


class TestCost:
    @pytest.mark.parametrize(("items", "units"), [(1, 1), (49, 1), (50, 2), (200, 5), (1000, 21)])
    def test_a_request_counts_as_its_work(self, cast, items, units):
        self.plan(cast, read_per_minute=10_000, read_burst=10_000)
        before = self.left(cast.acme.http.post(URL.format("ann"), {"item_ids": ["a"]}, format="json"))

        body = {"item_ids": [f"x{n}" for n in range(items)]}
        after = self.left(cast.acme.http.post(URL.format("ann"), body, format="json"))

        # Some of it comes back in the meantime.
        assert before - after in range(units - 3, units + 1)
        assert after <= 10_000 - units

    def test_a_refused_body_is_charged_as_one(self, cast):
        self.plan(cast, read_per_minute=2, read_burst=2)
        statuses = [cast.acme.http.post(URL.format("ann"), {}, format="json").status_code for _ in range(3)]

        assert statuses == [422, 422, 429]

    def test_over_the_quota_the_order_is_what_is_popular_where_the_plan_says_so(self, acme):
        self.plan_of(acme, requests_per_month=0, on_quota="static")

        answer = ask(acme.http)

        assert (answer["source"], answer["degraded"]) == ("popular", "quota")
        assert set(ids(answer)) == set(ITEM_IDS)

    def plan(self, cast, **fields):
        self.plan_of(cast.acme, **fields)

    def plan_of(self, acme, **fields):
        with scope.all_tenants("test"):
            plan = Plan.objects.get(pk=Tenant.objects.get(pk=acme.tenant.pk).plan_id)
            Plan.objects.filter(pk=plan.pk).update(**fields)
        tenant_cache.load()

    def left(self, response):
        assert response.status_code == 200, response.content
        return int(response["RateLimit"].partition(";r=")[2].partition(";")[0])


class TestShown:
    @pytest.fixture
    def pages(self):
        impression_buffer.running = True
        impression_buffer._pages.clear()
        yield impression_buffer._pages
        impression_buffer.running = False
        impression_buffer._pages.clear()

    def test_a_page_counts_as_that_person_s_at_the_placement(self, acme, pages):
        answer = ask(acme.http, placement="home", limit=5)
        ask(acme.http, limit=3)

        (_, recommendation_id, user_id, placement, arm, source, item_ids, *_), other = pages
        assert (recommendation_id, user_id) == (answer["recommendation_id"], "u0000")
        assert (placement, arm, source, list(item_ids)) == ("home", "", "model", ids(answer))
        assert (other[3], len(other[6])) == ("@rank", 3)

    def test_of_a_long_one_the_first_hundred_count(self, acme, pages):
        names = [f"n{number:03}" for number in range(150)]
        batch = {"items": [{"item_id": name} for name in names]}
        assert acme.http.post("/api/v1/items/batch", batch, format="json").status_code == 200

        answer = ask(acme.http, item_ids=names)

        assert list(pages[0][6]) == ids(answer)[:100]
