"""POST /recommendations/batch: what it asks of the servers does not grow with the people."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import FeatureFlag
from accounts.tenancy import scope, tenant_cache
from core import redis
from recommendations.models import EndUser, Item
from tests.outages import redis_away
from tests.recommendations.lists import publish

URL = "/api/v1/recommendations/batch"
ITEMS = [f"i{n:03}" for n in range(130)]
LISTED = {f"p{n:03}": ITEMS[n % 30 : n % 30 + 100] for n in range(90)}
UNLISTED = [f"new{n}" for n in range(5)]
UNKNOWN = [f"nobody{n}" for n in range(5)]
EVERYBODY = [*LISTED, *UNLISTED, *UNKNOWN]


@pytest.fixture
def acme(cast):
    tenant = cast.acme.tenant
    publish(tenant, people=LISTED, items=ITEMS, popular=ITEMS[::-1][:100])
    with scope.tenant(tenant.pk):
        EndUser.objects.bulk_create(EndUser(tenant=tenant, user_id=user_id) for user_id in UNLISTED)
        Item.objects.filter(item_id__in=ITEMS[::2]).update(categories=["even"])
    return cast.acme


def ask(acme, user_ids, **options):
    answer = acme.http.post(URL, {"user_ids": list(user_ids), **options}, format="json")
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def same(one, other):
    """Returns true if two answers are equal; cursors of two moments may differ in when they end."""
    return {**one, "next": bool(one["next"])} == {**other, "next": bool(other["next"])}


def costs(acme, round_trips, user_ids, **options):
    """Statements about rows, and round trips to Redis."""
    round_trips.clear()
    with CaptureQueriesContext(connection) as queries:
        ask(acme, user_ids, **options)
    return len([each for each in queries if "recommendations_" in each["sql"]]), len(round_trips)


@pytest.mark.parametrize(
    ("options", "warm"),
    [({}, (0, 1)), ({"include": "item"}, (1, 1)), ({"category": "even", "include": "item"}, (2, 1))],
)
def test_a_hundred_people_cost_what_one_costs(acme, round_trips, options, warm):
    ask(acme, EVERYBODY, **options)

    assert costs(acme, round_trips, LISTED, **options) == warm
    assert costs(acme, round_trips, [*LISTED][:1], **options) == warm


def test_a_hundred_people_without_a_list_in_redis_cost_few_queries(acme, round_trips):
    ask(acme, EVERYBODY)
    redis.client().flushdb()
    cold, trips = costs(acme, round_trips, EVERYBODY, include="item")

    assert cold <= 8
    assert trips <= 10
    assert costs(acme, round_trips, EVERYBODY, include="item") == (1, 2)


def test_a_hundred_people_cost_few_queries_without_redis(acme):
    with redis_away(), CaptureQueriesContext(connection) as queries:
        lists = ask(acme, EVERYBODY, include="item")

    assert len([each for each in queries if "recommendations_" in each["sql"]]) <= 12
    assert {each["source"] for each in lists} == {"model", "popular"}


@pytest.mark.slow
def test_each_person_gets_what_they_get_alone(acme):
    acme.http.patch(f"/api/v1/items/{ITEMS[5]}", {"hidden": True}, format="json")
    asked = [*EVERYBODY[::9], "p000", "p000", "new1", "nobody1"]
    for options in ({}, {"include": "item", "limit": 7, "explain": True}, {"category": "even"}):
        together = ask(acme, asked, **options)

        for user_id, answer in zip(asked, together, strict=True):
            alone = acme.http.get(f"/api/v1/users/{user_id}/recommendations", options)
            assert same(answer, alone.json()), (user_id, options)


def test_a_filter_that_names_people_is_asked_once_for_each_condition_that_comes_of_them(acme, round_trips):
    with scope.tenant(acme.tenant.pk):
        people, catalogue = list(EndUser.objects.order_by("user_id")), list(Item.objects.order_by("item_id"))
        for place, person in enumerate(people):
            person.segments, person.attributes = [("even", "odd")[place % 2]], {"least": place}
        for place, item in enumerate(catalogue):
            item.attributes = {"price": place}
        EndUser.objects.bulk_update(people, ["segments", "attributes"])
        Item.objects.bulk_update(catalogue, ["attributes"])
    few, many = "categories contains user.segments", "attributes.price >= user.attributes.least"
    some = EVERYBODY[::9]
    for options in ({"filter": few, "limit": 10}, {"filter": many, "limit": 10}):
        for user_id, answer in zip(some, ask(acme, some, **options), strict=True):
            alone = acme.http.get(f"/api/v1/users/{user_id}/recommendations", options).json()
            assert same(answer, alone), (user_id, options)
    assert {item["item_id"] for item in ask(acme, ["p000"], filter=few, limit=10)[0]["items"]} <= set(ITEMS)

    ask(acme, LISTED)
    statements, trips = costs(acme, round_trips, LISTED, filter=few, limit=10)

    assert trips == 1
    assert statements <= 6  # people, two conditions, and the newest items for the one that nothing meets
    assert costs(acme, round_trips, LISTED, filter=many, limit=10)[0] <= 2 * len(LISTED) + 1


def test_people_for_whom_the_flag_is_off_are_told_apart(acme):
    with scope.tenant(acme.tenant.pk):
        FeatureFlag.objects.create(tenant=acme.tenant, name="recommendations", percent=50)
    tenant_cache.load()

    degraded = [answer["degraded"] for answer in ask(acme, EVERYBODY)]

    assert {None, "flag"} <= set(degraded)
    for user_id, reason in zip(EVERYBODY, degraded, strict=True):
        alone = acme.http.get(f"/api/v1/users/{user_id}/recommendations").json()
        assert (alone["degraded"], alone["user_id"]) == (reason, user_id)
