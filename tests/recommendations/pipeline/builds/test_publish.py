"""The swap: no event is lost, no newer list replaced by an older one, nobody marked without need."""

import json
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage

from accounts.tenancy import scope
from core import clock, redis
from core.redis import RedisUnavailable
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from recommendations.cache import keys, publish_availability, withdrawn_items
from recommendations.models import Artefact, EndUser, Item, Placement, UserList
from recommendations.pipeline.builds import lifecycle, publish
from recommendations.pipeline.nearline import rescore, snapshots
from tests.recommendations.pipeline.generated import build_now, first_build, happen, lists_of, reread, stored


def waiting(tenant):
    with scope.tenant(tenant.pk):
        return set(EndUser.objects.filter(dirty_at__isnull=False).values_list("user_id", flat=True))


def listed(row):
    return {entry["item_id"] for entry in stored(row).entries()}


class TestSwap:
    def test_waits_for_every_chunk(self, acme):
        build = build_now(acme, until="scoring")

        publish.publish_step(tenant_id=acme.pk, build_id=build.pk)

        assert reread(build).status == "scoring"
        with scope.tenant(acme.pk):
            assert Placement.objects.get().active_build is None

    @pytest.mark.slow
    def test_is_told_to_who_listens_once(self, acme):
        with scope.tenant(acme.pk):
            url = "https://hooks.example.org/"
            WebhookEndpoint.objects.create(tenant_id=acme.pk, url=url, events=["build.published"])

        build = build_now(acme)
        publish.publish_step(tenant_id=acme.pk, build_id=build.pk)

        with scope.tenant(acme.pk):
            (delivery,) = WebhookDelivery.objects.all()
        assert json.loads(delivery.body)["data"]["build"] == build.pk

    def test_takes_the_mark_of_those_whose_news_are_in_the_new_list(self, acme):
        happen(acme, "u0000", "i0001")
        happen(acme, "u0001", "i0002")
        assert waiting(acme) == {"u0000", "u0001"}

        build = build_now(acme)

        assert waiting(acme) == set()
        assert "i0001" not in listed(lists_of(acme, build)["u0000"])

    def test_keeps_the_mark_of_those_with_news_after_their_list_was_made(self, acme):
        happen(acme, "u0000", "i0001")
        build = build_now(acme, until="scored")
        happen(acme, "u0000", "i0005")
        happen(acme, "u0001", "i0002")

        publish.publish_step(tenant_id=acme.pk, build_id=build.pk)

        assert reread(build).status == "published"
        assert waiting(acme) == {"u0000", "u0001"}

    def test_carries_over_what_near_line_made_meanwhile(self, acme):
        first_build(acme)
        build = build_now(acme, until="scored")
        person = happen(acme, "u0000", "i0001")
        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 1
        assert waiting(acme) == set()

        publish.publish_step(tenant_id=acme.pk, build_id=build.pk)

        row = lists_of(acme, build)["u0000"]
        assert "i0001" not in listed(row)
        assert (stored(row).provenance.build, stored(row).provenance.version, row.version) == (build.pk, 3, 3)
        assert redis.client().get(keys.user_list(acme.pk, "home", "u0000")) == bytes(row.body)
        # With the new artefact the list may be another one.
        assert waiting(acme) == {"u0000"}
        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 1
        assert lists_of(acme, build)["u0000"].version == 4

    @pytest.mark.slow
    def test_replaces_what_near_line_made_before(self, acme):
        first_build(acme)
        person = happen(acme, "u0000", "i0001")
        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])

        build = build_now(acme)

        row = lists_of(acme, build)["u0000"]
        assert row.version == 1
        assert "i0001" not in listed(row)
        assert waiting(acme) == set()

    def test_gives_a_list_to_those_who_came_while_it_was_built(self, acme):
        first_build(acme)
        build = build_now(acme, until="scored")
        person = happen(acme, "newcomer", "i0001")
        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])

        publish.publish_step(tenant_id=acme.pk, build_id=build.pk)

        assert "newcomer" in lists_of(acme, build)

    @pytest.mark.slow
    def test_near_line_never_writes_into_a_snapshot_that_was_swapped_away(self, acme, monkeypatch):
        old = first_build(acme)
        build = build_now(acme, until="scored")
        person = happen(acme, "u0000", "i0001")
        really = snapshots.write_lists

        def swapped_before(*args):
            publish.publish_step(tenant_id=acme.pk, build_id=build.pk)
            return really(*args)

        monkeypatch.setattr(snapshots, "write_lists", swapped_before)
        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 0
        monkeypatch.undo()

        assert lists_of(acme, old)["u0000"].version == 1
        assert waiting(acme) == {"u0000"}
        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 1
        assert "i0001" not in listed(lists_of(acme, build)["u0000"])


class TestRedisAway:
    def test_the_lists_serve_and_the_cache_follows_when_it_is_back(self, acme, settings):
        build = build_now(acme, until="scored")
        url, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
        redis.client.cache_clear()
        try:
            with pytest.raises(RedisUnavailable):
                publish.publish_step(tenant_id=acme.pk, build_id=build.pk)
        finally:
            settings.REDIS_URL = url
            redis.client.cache_clear()
            redis.breaker.record_success()
        assert reread(build).status == "publishing"
        with scope.tenant(acme.pk):
            assert Placement.objects.get().active_build == build

        publish.publish_step(tenant_id=acme.pk, build_id=build.pk)

        assert reread(build).status == "published"
        assert redis.client().get(keys.user_list(acme.pk, "home", "u0000"))


class TestWithdrawnItems:
    @pytest.mark.slow
    def test_are_forgotten_when_no_list_can_hold_them_any_more(self, acme):
        first_build(acme)
        with scope.tenant(acme.pk):
            Item.objects.filter(item_id="i0000").update(hidden=True, updated_at=clock.now())
        withdrawn_items.load(acme.pk, {})
        publish_availability(acme.pk, {"i0000": 0.0})

        build_now(acme)
        assert withdrawn_items.parse(withdrawn_items.snapshot(acme.pk)) == {
            "i0000": 0.0
        }  # a reader may hold an old list

        build_now(acme)
        assert withdrawn_items.parse(withdrawn_items.snapshot(acme.pk)) == {}

    @pytest.mark.slow
    def test_withdrawn_while_it_is_built_stay_withdrawn(self, acme):
        build = build_now(acme, until="scored")
        with scope.tenant(acme.pk):
            Item.objects.filter(item_id="i0000").update(hidden=True, updated_at=clock.now())
        withdrawn_items.load(acme.pk, {})
        publish_availability(acme.pk, {"i0000": 0.0})

        publish.publish_step(tenant_id=acme.pk, build_id=build.pk)

        assert withdrawn_items.parse(withdrawn_items.snapshot(acme.pk)) == {"i0000": 0.0}


@pytest.mark.slow
class TestPrune:
    def test_keeps_two_builds_with_all_they_need(self, acme, settings):
        settings.ARTEFACT_KEEP = 2
        builds, files = [], []
        for _ in range(3):
            builds.append(build_now(acme))
            with scope.tenant(acme.pk):
                files.append(Artefact.objects.latest("pk").file)

        with scope.tenant(acme.pk):
            kept = set(UserList.objects.values_list("build", flat=True))
        assert kept == {builds[1].pk, builds[2].pk}
        assert [reread(build).artefact_id is None for build in builds] == [True, False, False]
        assert [default_storage.exists(file) for file in files] == [False, True, True]

    def test_removes_what_a_failed_build_left(self, acme):
        failed = build_now(acme, until="scored")
        lifecycle.fail(tenant_id=acme.pk, build_id=failed.pk, error="for the test")

        build = build_now(acme)

        with scope.tenant(acme.pk):
            assert set(UserList.objects.values_list("build", flat=True)) == {build.pk}
        assert reread(failed).error == "for the test"


def test_dirty_people_of_long_ago_are_not_forgotten(acme):
    """A mark without any event in the window of the build is settled too, however old it is."""
    with scope.tenant(acme.pk):
        EndUser.objects.filter(user_id="u0003").update(dirty_at=clock.now() - timedelta(days=30))

    build_now(acme)

    assert waiting(acme) == set()
