"""Erasure reaches what placements that are no more have left, and nobody is served from them."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import scope, tenant_cache
from core import clock, redis
from recommendations.cache import keys, list_cache
from recommendations.models import Placement
from recommendations.placements import cleanup
from recommendations.placements.task_names import FORGET_PLACES
from recommendations.privacy.erase import erase_end_user, remove_cached_lists
from tests import worlds
from tests.recommendations.lists import body
from tests.recommendations.pipeline.generated import build_now, fill
from tests.recommendations.pipeline.queue import sent
from tests.recommendations.privacy import everywhere

ADA = "ada/lovelace|1815:x"
SEGMENT = "ada%2Flovelace%7C1815%3Ax"
URL = f"/api/v1/users/{SEGMENT}"


@pytest.fixture
def acme(cast, committed_db, redis_server):
    """Twenty people with lists at `home` and `promo`, in both servers, and Ada among them."""
    tenant = cast.acme.tenant

    def make():
        fill(tenant, people=20, items=40)
        with scope.tenant(tenant.pk):
            Placement.objects.create(tenant=tenant, name="promo")
        for number in range(4):
            event = {"user_id": ADA, "item_id": f"i{number * 4:04d}", "type": "view"}
            assert cast.acme.http.post("/api/v1/events", event, format="json").status_code == 201
        build_now(tenant)

    worlds.begin_with("past configuration", make)
    tenant_cache.load()
    assert redis.client().exists(keys.user_list(tenant.pk, "promo", ADA))
    return cast.acme


def placement(acme, name="promo"):
    return Placement.objects.get(tenant=acme.tenant, name=name)


def delete(acme):
    with scope.tenant(acme.tenant.pk):
        placement(acme).delete()


def rename(acme):
    with scope.tenant(acme.tenant.pk):
        place = placement(acme)
        place.name = "sale"
        place.save()


def rename_past_the_model(acme):
    with scope.tenant(acme.tenant.pk):
        Placement.objects.filter(name="promo").update(name="sale")


class TestErasure:
    @pytest.mark.parametrize("change", [delete, rename, rename_past_the_model])
    def test_reaches_the_lists_of_placements_that_are_no_more(self, acme, change):
        change(acme)

        assert acme.http.delete(URL).status_code == 200

        assert everywhere.places(ADA) == []
        for name in ("promo", "sale", "home"):
            answer = acme.http.get(f"{URL}/recommendations?placement={name}")
            assert answer.status_code in (200, 404)
            assert answer.json().get("source") in (None, "popular", "static")

    def test_reaches_lists_that_an_older_release_has_left(self, acme):
        redis.client().delete(keys.places(acme.tenant.pk))
        delete(acme)

        acme.http.delete(URL)

        assert everywhere.keys(ADA) == []

    def test_is_not_undone_by_who_writes_late(self, acme):
        tenant_id = acme.tenant.pk
        name = keys.user_list(tenant_id, "home", ADA)
        held = redis.client().get(name)
        remove_cached_lists(tenant_id=tenant_id, user_id=ADA)
        erase_end_user(tenant_id=tenant_id, user_id=ADA, now=clock.now())

        assert list_cache.set_many([(name, held)]) == 0
        redis.client().set(name, held)  # somebody who asks nobody

        answer = acme.http.get(f"{URL}/recommendations").json()
        assert answer["source"] in ("popular", "static")
        batch = {"user_ids": [ADA, "u0001"]}
        first, second = acme.http.post("/api/v1/recommendations/batch", batch, format="json").json()["data"]
        assert first["source"] in ("popular", "static")
        assert second["source"] == "model"

    def test_leaves_who_comes_back_their_new_list(self, acme):
        acme.http.delete(URL)
        for number in range(4):
            event = {"user_id": ADA, "item_id": f"i{number * 4:04d}", "type": "view"}
            acme.http.post("/api/v1/events", event, format="json")
        build_now(acme.tenant)

        assert acme.http.get(f"{URL}/recommendations").json()["source"] == "model"


class TestPlacementsThatGo:
    @pytest.mark.parametrize("change", [delete, rename])
    def test_take_everybodys_lists_along(self, acme, change):
        before = len(sent(FORGET_PLACES))
        change(acme)

        assert sent(FORGET_PLACES)[before:] == [{"tenant_id": acme.tenant.pk}]
        assert cleanup.delete_cached_lists(tenant_id=acme.tenant.pk) == 21
        assert list(redis.client().scan_iter(match="*:l:promo:*")) == []
        assert redis.client().exists(keys.user_list(acme.tenant.pk, "home", ADA))
        assert cleanup.delete_cached_lists(tenant_id=acme.tenant.pk) == 0

    def test_do_so_also_where_nobody_was_told(self, acme):
        rename_past_the_model(acme)

        assert cleanup.delete_cached_lists(tenant_id=acme.tenant.pk) == 21

    def test_leave_other_tenants_alone(self, acme, cast):
        other = keys.user_list(cast.globex.tenant.pk, "promo", "bob")
        list_cache.set_many([(other, body("bob", ["a"]))])
        delete(acme)

        cleanup.delete_cached_lists(tenant_id=acme.tenant.pk)

        assert redis.client().exists(other)


class TestUnknownPlacement:
    def test_is_not_found_though_redis_holds_a_list(self, acme):
        list_cache.set_many([(keys.user_list(acme.tenant.pk, "ghost", ADA), body(ADA, ["i0001"]))])

        answer = acme.http.get(f"{URL}/recommendations?placement=ghost")
        batch = {"user_ids": [ADA], "placement": "ghost"}
        many = acme.http.post("/api/v1/recommendations/batch", batch, format="json")

        for each in (answer, many):
            assert (each.status_code, each.json()["code"]) == (404, "not_found")
            assert each.json()["errors"][0]["pointer"] == "/placement"

    def test_is_known_at_once_when_it_was_made(self, acme):
        with scope.tenant(acme.tenant.pk):
            Placement.objects.create(tenant=acme.tenant, name="new")

        assert acme.http.get(f"{URL}/recommendations?placement=new").status_code == 200

    def test_a_known_one_costs_no_statement(self, acme, round_trips, settings):
        settings.PROCESS_REFRESH_SECONDS = 60.0
        acme.http.get(f"{URL}/recommendations?placement=promo")
        round_trips.clear()
        with CaptureQueriesContext(connection) as queries:
            assert acme.http.get(f"{URL}/recommendations?placement=promo").json()["source"] == "model"

        assert [each for each in queries if "placement" in each["sql"]] == []
        assert len(round_trips) == 1

    def test_is_told_by_the_document_of_the_problem(self, acme):
        problem = json.loads(acme.http.get(f"{URL}/recommendations?placement=ghost").content)

        assert problem["detail"] == "Unknown placement 'ghost'."
        assert problem["errors"][0]["code"] == "unknown_placement"


def test_a_tombstone_is_gone_after_a_while(acme):
    remove_cached_lists(tenant_id=acme.tenant.pk, user_id=ADA)

    left = redis.client().ttl(keys.tombstone(acme.tenant.pk, ADA))

    assert timedelta(minutes=9) < timedelta(seconds=left) <= timedelta(minutes=10)
