"""Results of a build: all users' lists, the popular list, the neighbours of items."""

from datetime import timedelta
from uuid import UUID

import pytest

from accounts.tenancy import scope
from core import clock, redis
from core.leases import LeaseLost
from recommendations.cache import keys, list_codec
from recommendations.models import (
    Artefact,
    Build,
    Chunk,
    EndUser,
    Interaction,
    Item,
    Placement,
    ReferenceList,
    UserList,
)
from recommendations.pipeline.builds import lifecycle, publish, score, train
from recommendations.pipeline.builds.lifecycle import BuildRunning
from recommendations.pipeline.builds.progress import progress
from tests.recommendations.pipeline.conftest import COLD, ITEMS, PEOPLE
from tests.recommendations.pipeline.generated import build_now, first_build, lists_of, reread, stored


class TestBuild:
    def test_gives_everybody_one_list_and_makes_it_the_active_one(self, acme):
        build = build_now(acme)

        lists = lists_of(acme, build)
        assert build.status == "published"
        assert len(lists) == build.people == PEOPLE + COLD
        assert build.outcomes["lists"] == {"model": PEOPLE, "popular": COLD}
        with scope.tenant(acme.pk):
            assert Placement.objects.get().active_build == build

    def test_lists_hold_all_that_the_person_has_not_had_yet_and_say_why(self, acme):
        lists = lists_of(acme, build_now(acme))

        with scope.tenant(acme.pk):
            had = set(Interaction.objects.filter(end_user__user_id="u0000").values_list("item__item_id", flat=True))
        listed = stored(lists["u0000"])
        entries = listed.entries()
        assert {entry["item_id"] for entry in entries}.isdisjoint(had)
        assert len(entries) == ITEMS - len(had)
        assert listed.owner == "u0000"
        assert listed.provenance.source == "model"
        assert all(entry["reason"] for entry in entries)
        assert {each["item_id"] for entry in entries for each in entry["evidence"]} <= had
        # People of a kind mostly choose items of that kind, so those lead.
        assert [int(entry["item_id"][1:]) % 4 for entry in entries[:3]] == [0, 0, 0]

    def test_lists_end_at_a_hundred(self, acme):
        with scope.tenant(acme.pk):
            extra = Item.objects.bulk_create(Item(tenant=acme, item_id=f"x{number:03d}") for number in range(70))
            template = Interaction.objects.order_by("pk")[0]
            for number, item in enumerate(extra):
                template.id, template.item, template.digest = None, item, UUID(int=number + 1)
                template.save(force_insert=True)

        lists = lists_of(acme, build_now(acme))

        assert stored(lists["u0005"]).total == 100

    def test_people_without_history_get_the_popular_order(self, acme):
        listed = stored(lists_of(acme, build_now(acme))[f"u{PEOPLE:04d}"])

        assert listed.provenance.source == "popular"
        assert {entry["reason"] for entry in listed.entries()} <= {
            "Popular with everybody",
            "Popular right now",
            "New in the catalogue",
        }
        assert all(entry["evidence"] == [] for entry in listed.entries())

    def test_leaves_out_what_may_not_be_shown_and_notes_what_ends(self, acme):
        later = clock.now() + timedelta(days=1)
        with scope.tenant(acme.pk):
            Item.objects.filter(item_id="i0000").update(hidden=True)
            Item.objects.filter(item_id="i0004").update(deleted_at=clock.now())
            Item.objects.filter(item_id="i0008").update(available_from=later)
            Item.objects.filter(item_id="i0012").update(available_until=clock.now())
            Item.objects.filter(item_id="i0001").update(available_until=later)
        build = build_now(acme)

        with scope.tenant(acme.pk):
            bodies = [
                bytes(body)
                for model in (UserList, ReferenceList)
                for body in model.objects.values_list("body", flat=True)
            ]
        listed = {entry["item_id"] for body in bodies for entry in list_codec.decode(body).entries()}
        assert listed.isdisjoint({"i0000", "i0004", "i0008", "i0012"})
        cold = stored(lists_of(acme, build)[f"u{PEOPLE:04d}"])
        assert cold.until == {"i0001": later.timestamp()}

    def test_reasons_are_in_the_persons_language(self, acme):
        with scope.tenant(acme.pk):
            EndUser.objects.filter(user_id=f"u{PEOPLE:04d}").update(locale="de-AT")

        listed = stored(lists_of(acme, build_now(acme))[f"u{PEOPLE:04d}"])

        assert {entry["reason"] for entry in listed.entries()} <= {
            "Bei allen beliebt",
            "Gerade beliebt",
            "Neu im Katalog",
        }

    def test_items_get_their_neighbours(self, acme):
        build = first_build(acme)

        with scope.tenant(acme.pk):
            row = ReferenceList.objects.get(build=build, kind="similar", subject="i0000")
        listed = stored(row)
        assert 0 < listed.total <= 50
        assert {entry["reason"] for entry in listed.entries()} == {"Similar to Title 0"}
        assert "i0000" not in {entry["item_id"] for entry in listed.entries()}

    def test_redis_holds_every_list_afterwards(self, acme):
        build = first_build(acme)

        for user_id, row in lists_of(acme, build).items():
            assert redis.client().get(keys.user_list(acme.pk, "home", user_id)) == bytes(row.body)
        with scope.tenant(acme.pk):
            popular = ReferenceList.objects.get(build=build, kind="popular", subject="")
        assert redis.client().get(keys.reference_list(acme.pk, "popular")) == bytes(popular.body)
        assert stored(popular).total == ITEMS

    def test_redis_holds_no_more_than_is_allowed_and_nothing_old(self, acme, settings):
        first_build(acme)
        settings.CACHE_WARM_LISTS = 10

        build = build_now(acme)

        held = [
            list_codec.decode(body).provenance.build
            for user_id in lists_of(acme, build)
            if (body := redis.client().get(keys.user_list(acme.pk, "home", user_id)))
        ]
        assert held == [build.pk] * 10
        similar = [redis.client().get(key) for key in redis.client().keys(keys.reference_list(acme.pk, "similar", "*"))]
        # Before them came the lists for everybody: popular and trending, of all windows.
        assert [list_codec.decode(body).provenance.build for body in similar] == [build.pk] * 3

    def test_progress_counts_chunks_and_lists(self, acme):
        build = first_build(acme)

        standing = progress(tenant_id=acme.pk, build_id=build.pk)

        assert standing.ended
        assert standing.done == standing.total == 1 + 1 + 1  # popular, people, items
        assert standing.lists == {"model": PEOPLE, "popular": COLD}
        assert standing.fallback_rate == 0.0


class TestDuplicates:
    def test_a_step_that_is_delivered_twice_has_one_effect(self, acme):
        build = first_build(acme)
        with scope.tenant(acme.pk):
            before = list(UserList.objects.order_by("pk").values_list("pk", "version", "body"))

        train.train_step(tenant_id=acme.pk, build_id=build.pk)
        assert score.score_chunk(tenant_id=acme.pk, build_id=build.pk) is False
        publish.publish_step(tenant_id=acme.pk, build_id=build.pk)

        with scope.tenant(acme.pk):
            assert list(UserList.objects.order_by("pk").values_list("pk", "version", "body")) == before
            assert Artefact.objects.count() == 1

    def test_whoever_lost_the_lease_writes_no_list(self, acme, monkeypatch):
        build = build_now(acme, until="scoring")
        really = score._score

        def taken_over(*args):
            work = really(*args)
            with scope.tenant(acme.pk):
                Chunk.objects.update(lease_token="00000000-0000-0000-0000-000000000001")
            return work

        monkeypatch.setattr(score, "_score", taken_over)
        with pytest.raises(LeaseLost):
            score.score_chunk(tenant_id=acme.pk, build_id=build.pk)

        with scope.tenant(acme.pk):
            assert not UserList.objects.exists()
            assert not ReferenceList.objects.exists()
            assert set(Chunk.objects.values_list("status", flat=True)) == {"pending"}


class TestStart:
    def test_refuses_a_second_one_at_a_time(self, acme):
        lifecycle.start(tenant_id=acme.pk, reason="test", now=clock.now())

        with pytest.raises(BuildRunning):
            lifecycle.start(tenant_id=acme.pk, reason="test", now=clock.now())

    def test_fails_where_there_is_nothing_to_learn_from(self, committed_db, cast):
        build = build_now(cast.globex.tenant, until="scoring")

        assert build.status == "failed"
        assert "no interactions" in build.error

    def test_builds_of_two_tenants_do_not_meet(self, acme, cast):
        mine = first_build(acme)
        lifecycle.start(tenant_id=cast.globex.tenant.pk, reason="test", now=clock.now())

        assert reread(mine).status == "published"
        with scope.tenant(cast.globex.tenant.pk):
            assert Build.objects.count() == 1
            assert UserList.objects.count() == 0
