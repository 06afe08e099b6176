"""Whoever has no list gets the first step of the placement's fallback that has anything."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import scope
from recommendations.cache.list_codec import Provenance, encode
from recommendations.models import Build, EndUser, Item, Placement, PlacementVersion, ReferenceList, UserList
from tests.outages import redis_away
from tests.recommendations.lists import NOW, body, publish
from tests.size import some

ITEMS = [f"i{number:03}" for number in range(40)]
URL = "/api/v1/users/{}/recommendations"
COMMON = {
    ("segment", "segments=gold"): ["i011", "i012", "i001"],
    ("segment", "attributes.country=de"): ["i021", "i022"],
    ("trending", "7d"): ["i031", "i032"],
}


@pytest.fixture
def acme(committed_db, cast):
    """Nobody but ann has a list; cem and dan are in segments. Items are the newer the higher their numbers."""
    tenant = cast.acme.tenant
    publish(tenant, people={"ann": ITEMS}, items=ITEMS, popular=ITEMS[1:], common=COMMON)
    with scope.tenant(tenant.pk):
        for number, item_id in enumerate(ITEMS):
            categories = ["odd"] if number % 2 else []
            Item.objects.filter(item_id=item_id).update(
                created_at=NOW + timedelta(minutes=number), categories=categories
            )
        EndUser.objects.create(tenant=tenant, user_id="cem", segments=["silver", "gold"])
        EndUser.objects.create(tenant=tenant, user_id="dan", segments=["gold"], attributes={"country": ["fr", "de"]})
    return cast.acme


def follow(member, rules, *, pinned=()):
    """The active build's lists follow these rules."""
    tenant = member.tenant
    with scope.tenant(tenant.pk):
        place = Placement.objects.get(tenant=tenant, name="home")
        version = PlacementVersion.objects.create(tenant=tenant, placement=place, number=1, rules=rules)
        Build.objects.filter(tenant=tenant).update(versions={str(place.pk): version.pk})
        place.pinned = list(pinned)
        place.save(update_fields=["pinned"])


def got(member, user_id):
    answer = member.http.get(URL.format(user_id)).json()
    return answer["source"], answer["degraded"], answer["items"][0]["item_id"]


@pytest.mark.parametrize(
    ("rules", "user_id", "expected"),
    some(
        [
            ({}, "cem", ("popular", "no_build", "i011")),
            ({}, "nobody", ("popular", "unknown_user", "i001")),
            ({"fallback": ["popular", "segment"]}, "cem", ("popular", "no_build", "i001")),
            ({"segment_by": "attributes.country"}, "dan", ("popular", "no_build", "i021")),
            ({"segment_by": "attributes.country"}, "cem", ("popular", "no_build", "i001")),
            ({"fallback": ["trending", "popular"]}, "nobody", ("popular", "unknown_user", "i031")),
            ({"fallback": ["segment", "trending"]}, "nobody", ("popular", "unknown_user", "i031")),
            ({"fallback": ["latest", "popular"]}, "cem", ("static", "no_build", "i039")),
            (
                {"fallback": ["segment"]},
                "nobody",
                ("static", "unknown_user", "i005"),
            ),  # nothing left: pinned, then latest
            ({"fallback": ["pinned", "popular"]}, "cem", ("static", "no_build", "i005")),
            ({"fallback": ["latest"]}, "nobody", ("static", "unknown_user", "i039")),
            ({"filter": "categories contains 'odd'"}, "cem", ("popular", "no_build", "i011")),
            ({"filter": "not item_id in ['i011', 'i012', 'i001']"}, "cem", ("popular", "no_build", "i002")),
            (
                {"filter": "item_id > 'i030' and user.user_id = 'dan'", "hide": ["i031"]},
                "dan",
                ("popular", "no_build", "i032"),
            ),
            ({"filter": "item_id < 'i004'", "fallback": ["pinned"]}, "cem", ("static", "no_build", "i003")),
            ({"filter": "item_id < 'i009'", "fallback": ["pinned"]}, "cem", ("static", "no_build", "i005")),
            ({"filter": "item_id = 'i033'", "fallback": ["trending"]}, "nobody", ("static", "unknown_user", "i033")),
            ({"filter": "item_id = 'none'", "fallback": ["trending"]}, "nobody", ("popular", "unknown_user", "i031")),
            ({"hide": ["i011", "i012"]}, "cem", ("popular", "no_build", "i001")),
            ({"fallback": ["latest"], "hide": ["i039"]}, "cem", ("static", "no_build", "i038")),
        ],
        every=3,
    ),
)
def test_the_order_of_the_rules_decides(acme, rules, user_id, expected):
    follow(acme, rules, pinned=["i005"])

    assert got(acme, user_id) == got(acme, user_id) == expected  # from Postgres, then from Redis
    with redis_away():
        assert got(acme, user_id) == expected


def test_pinned_without_a_pinned_item_is_passed_over(acme):
    follow(acme, {"fallback": ["pinned", "popular"]})

    assert got(acme, "nobody") == ("popular", "unknown_user", "i001")


def test_a_published_version_waits_for_its_build(acme):
    follow(acme, {"fallback": ["trending"]})
    with scope.tenant(acme.tenant.pk):
        place = Placement.objects.get(name="home")
        place.active_version = PlacementVersion.objects.create(
            tenant=acme.tenant, placement=place, number=2, rules={"fallback": ["latest"]}
        )
        place.save(update_fields=["active_version"])

    assert got(acme, "cem")[2] == "i031"


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize("user_id", ["cem", "dan", "nobody"])
def test_the_second_read_costs_no_sql_and_is_the_same(acme, user_id, filtered):
    rules = {"segment_by": "attributes.country", "fallback": ["segment", "trending", "popular"], "hide": ["i031"]}
    follow(acme, rules | ({"filter": "categories contains 'odd'"} if filtered else {}))
    first = acme.http.get(URL.format(user_id))

    with CaptureQueriesContext(connection) as queries:
        second = acme.http.get(URL.format(user_id))

    assert len(queries) == 0
    assert second.content == first.content
    shown = [item["item_id"] for item in second.json()["items"]]
    assert shown
    if filtered:
        assert all(int(item_id[1:]) % 2 for item_id in shown)


def test_many_people_in_many_segments_cost_what_one_costs(acme, round_trips):
    with scope.tenant(acme.tenant.pk):
        names = [f"s{number}" for number in range(30)]
        EndUser.objects.bulk_create(EndUser(tenant=acme.tenant, user_id=name, segments=[name]) for name in names)
        build = Build.objects.get(tenant=acme.tenant)
        for number, name in enumerate(names):
            ReferenceList.objects.create(
                tenant=acme.tenant,
                build=build,
                kind="segment",
                subject=f"segments={name}",
                body=body("", ITEMS[number:], build=build.pk, source="popular"),
                generated_at=NOW,
            )

    def ask():
        round_trips.clear()
        with CaptureQueriesContext(connection) as queries:
            answer = acme.http.post("/api/v1/recommendations/batch", {"user_ids": names}, format="json")
        statements = [each for each in queries if "recommendations_" in each["sql"]]
        return [each["items"][0]["item_id"] for each in answer.json()["data"]], len(statements), len(round_trips)

    first, statements, _ = ask()
    assert (first, statements <= 8) == (ITEMS[:30], True)
    assert ask() == (ITEMS[:30], 0, 2)


def test_an_empty_list_of_ones_own_brings_the_order_with_it(acme):
    with scope.tenant(acme.tenant.pk):
        row = UserList.objects.get(end_user__user_id="ann")
        row.body = encode(
            provenance=Provenance(row.build_id, 1, "model", "2026-11-23T12:00:00Z", arm="x1b"),
            owner="ann",
            entries=[],
            reading={"fallback": ["trending"], "hide": ["i031"]},
        )
        row.save(update_fields=["body"])

    assert got(acme, "ann") == ("popular", None, "i032")
