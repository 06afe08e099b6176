"""`filter`, `category` and `exclude`: what they leave out, what fills the page, and what a walk over it is."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import scope
from recommendations.models import EndUser, Item
from tests.recommendations.lists import publish

ITEMS = [f"i{n:03}" for n in range(160)]
LISTED, POPULAR = ITEMS[:100], ITEMS[60:130]
URL = "/api/v1/users/{}/recommendations"


@pytest.fixture
def acme(cast):
    """160 items: a hundred in Ann's list, some of them and some others popular, the rest only in the catalogue."""
    publish(
        cast.acme.tenant,
        people={"ann": LISTED, "bob": LISTED[::-1]},
        items=ITEMS,
        popular=POPULAR,
        similar={"i001": ITEMS[2:12]},
    )
    with scope.tenant(cast.acme.tenant.pk):
        catalogue = list(Item.objects.order_by("item_id"))
        for number, item in enumerate(catalogue):
            item.attributes = {"price": number, "even": number % 2 == 0, "third": number % 3}
            item.categories = ["Drama"] if number % 10 == 0 else []
        Item.objects.bulk_update(catalogue, ["attributes", "categories"])
    return cast.acme


def answer(caller, user_id, **query):
    response = caller.http.get(URL.format(user_id), query)
    assert response.status_code == 200, response.content
    return response.json()


def ids(body):
    return [item["item_id"] for item in body["items"]]


def walk(caller, user_id, **query):
    pages: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        body = answer(caller, user_id, **query, **cursor)
        pages.append(ids(body))
        if body["next"] is None:
            return pages
        cursor = {"cursor": body["next"]}


class TestFilter:
    def test_holds_only_what_meets_it_best_first(self, acme):
        body = answer(acme, "ann", filter="attributes.even = true and attributes.price > 10")

        assert ids(body) == [f"i{n:03}" for n in range(12, 52, 2)]
        assert (body["source"], body["degraded"]) == ("model", None)

    def test_fills_the_page_with_popular_and_then_the_newest(self, acme):
        body = answer(acme, "ann", filter="attributes.price in 95..119", explain="true", limit=25)

        parts = [item["explain"]["part"] for item in body["items"]]
        assert ids(body) == [f"i{n:03}" for n in range(95, 120)]
        assert parts == ["item_item"] * 5 + ["popularity"] * 20

    def test_fills_the_page_from_the_catalogue_where_no_list_has_enough(self, acme):
        body = answer(acme, "ann", filter="attributes.price > 120", explain="true")

        parts = [item["explain"]["part"] for item in body["items"]]
        assert len(ids(body)) == len(set(ids(body))) == 20
        assert parts == ["popularity"] * 9 + ["latest"] * 11
        assert {int(item_id[1:]) for item_id in ids(body)} <= set(range(121, 160))

    def test_may_name_the_person(self, acme):
        with scope.tenant(acme.tenant.pk):
            EndUser.objects.filter(user_id="bob").update(attributes={"most": 3})

        assert ids(answer(acme, "bob", filter="attributes.price < user.attributes.most")) == ["i002", "i001", "i000"]
        assert ids(answer(acme, "ann", filter="attributes.price < user.attributes.most")) == []

    def test_that_nothing_meets_gives_an_empty_page(self, acme):
        body = answer(acme, "ann", filter="attributes.price > 1000")

        assert (body["items"], body["next"]) == ([], None)

    def test_never_shows_what_is_withdrawn(self, acme):
        acme.http.patch("/api/v1/items/i158", {"hidden": True}, format="json")
        acme.http.delete("/api/v1/items/i012")

        assert "i158" not in ids(answer(acme, "ann", filter="attributes.price > 150"))
        assert "i012" not in ids(answer(acme, "ann", filter="attributes.price > 10"))

    def test_a_mistake_names_field_and_column(self, acme):
        response = acme.http.get(URL.format("ann"), {"filter": "attributes.price >> 3"})

        (error,) = response.json()["errors"]
        assert (response.status_code, error["pointer"], error["code"]) == (422, "/filter", "bad_filter")
        assert error["detail"].startswith("Column 19: found '>'")

    def test_an_answer_is_another_with_its_own_id_and_validator(self, acme):
        one, other = answer(acme, "ann", filter="attributes.price > 1"), answer(acme, "ann")

        assert one["recommendation_id"] != other["recommendation_id"]

    def test_costs_one_redis_round_trip_and_one_scope(self, acme, round_trips):
        answer(acme, "ann", filter="attributes.price > 10")
        round_trips.clear()

        with CaptureQueriesContext(connection) as queries:
            answer(acme, "ann", filter="attributes.price > 10")

        selects = [query["sql"] for query in queries if "recommendations_item" in query["sql"]]
        assert (len(round_trips), len(selects)) == (1, 1)

    def test_of_a_batch_asks_once_for_everybody(self, acme):
        asked = {"user_ids": ["ann", "bob"] * 10, "filter": "attributes.even = true", "limit": 5}

        with CaptureQueriesContext(connection) as queries:
            response = acme.http.post("/api/v1/recommendations/batch", asked, format="json")

        first, second, *_ = response.json()["data"]
        assert (ids(first)[0], ids(second)[0]) == ("i000", "i098")
        assert len([each for each in queries if '"attributes" ->' in each["sql"]]) == 1

    def test_of_similar_items_is_not_filled_with_others(self, acme):
        response = acme.http.get("/api/v1/items/i001/similar", {"filter": "attributes.even = true"})

        assert ids(response.json()) == ["i002", "i004", "i006", "i008", "i010"]


class TestExclude:
    def test_of_a_whole_list_leaves_a_full_page(self, acme):
        body = answer(acme, "ann", exclude=LISTED)

        assert len(ids(body)) == 20
        assert ids(body) == POPULAR[40:60]

    def test_with_category_fills_the_page(self, acme):
        body = answer(acme, "ann", category="Drama", limit=15, exclude=["i000"])

        assert ids(body)[:9] == [f"i{n:03}" for n in range(10, 100, 10)]
        assert len(ids(body)) == 15


class TestWalk:
    @pytest.mark.parametrize("query", [{}, {"filter": "attributes.third != 1"}, {"exclude": ITEMS[:90]}])
    def test_shows_a_hundred_items_once_and_every_page_but_the_last_is_full(self, acme, query):
        pages = walk(acme, "ann", limit=30, **query)

        shown = [item_id for page in pages for item_id in page]
        assert len(shown) == len(set(shown))
        assert all(len(page) == 30 for page in pages[:-1])
        assert len(shown) <= 100

    def test_a_cursor_belongs_to_its_filter(self, acme):
        cursor = answer(acme, "ann", filter="attributes.even = true")["next"]

        response = acme.http.get(URL.format("ann"), {"filter": "attributes.even = false", "cursor": cursor})

        assert response.json()["errors"][0]["pointer"] == "/cursor"
