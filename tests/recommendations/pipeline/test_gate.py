"""The quality gate in a build: a worse artefact does not serve, staff see why, and there is a way back."""

import shutil
from dataclasses import replace
from random import Random

import pytest
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tenancy import scope
from core import clock
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.metrics.bootstrap import Interval
from recommendations.models import Artefact, Build, Interaction, Placement, Tuning, UserList
from recommendations.pipeline.artefacts import store
from recommendations.pipeline.builds import lifecycle, publish, score, train
from recommendations.pipeline.builds.cleanup import prune
from recommendations.pipeline.lists import entries, profiles
from recommendations.pipeline.nearline import rescore
from tests import trainings
from tests.accounts.admin.people import CONFIRMED
from tests.recommendations.pipeline.generated import build_now, fill, happen, lists_of, reread, stored

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("committed_db")]


@pytest.fixture
def predictable(committed_db, cast):
    """A tenant whose users' last events can be predicted: the gate can tell worse from unlucky."""
    fill(cast.acme.tenant, people=60, items=60, noise=0)
    return cast.acme.tenant


def shuffle_what_was_chosen(tenant):
    """The same people, items and moments; who chose what is chance."""
    with scope.tenant(tenant.pk):
        rows = list(Interaction.objects.order_by("pk"))
        items = [row.item_id for row in rows]
        Random(4).shuffle(items)
        for row, item in zip(rows, items, strict=True):
            row.item_id = item
        Interaction.objects.bulk_update(rows, ["item_id"], batch_size=500)


def finish(build):
    """The rest of a build that was started."""
    train.train_step(tenant_id=build.tenant_id, build_id=build.pk)
    while score.score_chunk(tenant_id=build.tenant_id, build_id=build.pk):
        pass
    publish.publish_step(tenant_id=build.tenant_id, build_id=build.pk)
    return reread(build)


def artefacts_of(tenant):
    with scope.tenant(tenant.pk):
        return list(Artefact.objects.order_by("pk"))


class TestGate:
    def test_what_was_trained_on_shuffled_data_does_not_serve_and_staff_see_why(self, predictable, admin_of_all):
        good = build_now(predictable)

        shuffle_what_was_chosen(predictable)
        bad = build_now(predictable)

        first, second = artefacts_of(predictable)
        assert (bad.status, bad.artefact_id) == (Build.Status.PUBLISHED, good.artefact_id)
        assert (first.refused, second.refused) == (False, True)
        assert f"Artefact #{second.pk} was refused. Worse than the active artefact beyond noise" in bad.notes
        page = admin_of_all.get(reverse("admin:recommendations_build_changelist")).content.decode()
        assert "Worse than the active artefact beyond noise" in page
        page = admin_of_all.get(reverse("admin:recommendations_artefact_changelist")).content.decode()
        assert "Worse than the active artefact beyond noise" in page
        assert "refused" in page

    def test_more_of_the_same_is_published(self, acme):
        first = build_now(acme)

        second = build_now(acme)

        assert second.artefact_id != first.artefact_id
        assert "Not worse than the active artefact" in artefacts_of(acme)[1].verdict
        assert second.notes == ""

    def test_staff_may_publish_it_all_the_same(self, predictable):
        build_now(predictable)
        shuffle_what_was_chosen(predictable)

        build = finish(lifecycle.start(tenant_id=predictable.pk, reason="test", now=clock.now(), ai=False, gated=False))

        assert build.artefact_id == artefacts_of(predictable)[1].pk
        assert artefacts_of(predictable)[1].verdict.startswith("Published on request. Worse")

    def test_an_active_artefact_that_is_gone_keeps_nothing_back(self, acme, settings):
        good = build_now(acme)
        default_storage.delete(artefacts_of(acme)[0].file)
        shutil.rmtree(settings.ARTEFACT_CACHE_DIR)  # the host's copy as well
        store._loaded.clear()
        shuffle_what_was_chosen(acme)

        bad = build_now(acme)

        assert bad.artefact_id != good.artefact_id
        assert "cannot be read" in artefacts_of(acme)[1].verdict

    def test_a_build_says_that_it_did_not_train_on_everything(self, acme, settings):
        settings.TRAIN_MAX_ROWS = 200

        build = build_now(acme)

        assert "Trained on 200 of 468 events: the newest 5 of each user" in build.notes


class TestSecondStage:
    def test_that_is_left_out_is_said_by_the_artefact(self, acme):
        build = build_now(acme)

        (row,) = artefacts_of(acme)
        assert row.chosen["second_stage"] == {"used": False, "why": "40 validation users, 500 are required"}
        assert build.notes == ""

    def test_that_is_kept_orders_the_lists_of_builds_and_of_the_near_line(self, acme, monkeypatch):
        monkeypatch.setattr("recommendations.algorithms.training.blend.MIN_USERS", 20)
        monkeypatch.setattr(
            "recommendations.algorithms.blending.ranker_training.paired_interval", lambda *_: Interval(0.1, 0.05, 0.15)
        )
        with trainings.anew():
            build = build_now(acme)
        (row,) = artefacts_of(acme)
        staged = store.load(artefact_id=row.pk, file=row.file)
        blend = replace(staged, recommender=Recommender(replace(staged.recommender.artefact, ranker="")))

        def proposed(loaded, user_id):
            person = profiles.read_user(tenant_id=acme.pk, user_id=user_id)
            assert person is not None
            (made,) = entries.propose(loaded=loaded, users=[person], withdrawn=set(), limit=20)
            return [loaded.item_ids[item] for item in made.items]

        def served(user_id):
            return [entry["item_id"] for entry in stored(lists_of(acme, build)[user_id]).entries()[:20]]

        somebody = "u0001"
        assert row.chosen["second_stage"]["used"] is True
        assert served(somebody) == proposed(staged, somebody) != proposed(blend, somebody)
        person = happen(acme, somebody, proposed(staged, somebody)[0])
        assert rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk]) == 1
        assert served(somebody) == proposed(staged, somebody) != proposed(blend, somebody)


class TestTuning:
    def test_a_build_trains_with_what_the_tenant_chose_and_the_artefact_says_so(self, acme):
        with scope.tenant(acme.pk):
            Tuning.objects.create(
                tenant=acme,
                parameters={"ease.l2": 1000.0},
                verdict="",
                ndcg=0.2,
                ndcg_before=0.1,
                stored_at=clock.now(),
            )

        build_now(acme)

        assert artefacts_of(acme)[0].chosen["parameters"] == {"ease.l2": 1000.0}


class TestRollBack:
    def test_goes_to_the_artefact_before_the_active_one_without_training(self, acme):
        first, _second = build_now(acme), build_now(acme)

        build = finish(lifecycle.roll_back(tenant_id=acme.pk, now=clock.now()))

        assert (build.status, build.artefact_id) == (Build.Status.PUBLISHED, first.artefact_id)
        assert len(artefacts_of(acme)) == 2
        with scope.tenant(acme.pk):
            assert Placement.objects.get().active_build_id == build.pk
            assert UserList.objects.filter(build=build).count() == build.people

    def test_by_command(self, acme, capsys):
        first, second = build_now(acme), build_now(acme)

        call_command("rollback", tenant="acme", list=True)
        call_command("rollback", tenant="acme", artefact=first.artefact_id)

        said = capsys.readouterr().out
        assert f"#{second.artefact_id}" in said
        assert "serving" in said
        with scope.tenant(acme.pk):
            build = Build.objects.latest("pk")
        assert build.artefact_id == first.artefact_id
        with pytest.raises(CommandError, match="A build of this tenant is running"):
            call_command("rollback", tenant="acme", artefact=first.artefact_id)

    def test_says_what_cannot_be_done(self, acme):
        build_now(acme)

        with pytest.raises(CommandError, match="No artefact from before"):
            call_command("rollback", tenant="acme")
        with pytest.raises(CommandError, match="no artefact #999"):
            call_command("rollback", tenant="acme", artefact=999)
        with pytest.raises(CommandError, match="no tenant 'nobody'"):
            call_command("rollback", tenant="nobody")

    def test_by_one_click_in_the_admin(self, acme, admin_of_all):
        first, _second = build_now(acme), build_now(acme)

        data = {"action": "serve_again", "_selected_action": [first.artefact_id], **CONFIRMED}
        answer = admin_of_all.post(reverse("admin:recommendations_artefact_changelist"), data, follow=True)

        assert f"recreates all lists with artefact #{first.artefact_id}" in answer.content.decode()
        with scope.tenant(acme.pk):
            assert Build.objects.latest("pk").artefact_id == first.artefact_id

    def test_the_newest_artefacts_are_kept_for_it(self, acme, settings):
        settings.BUILD_KEEP, settings.ARTEFACT_KEEP = 1, 2
        builds = [build_now(acme) for _ in range(3)]

        prune(tenant_id=acme.pk, now=clock.now())

        kept = artefacts_of(acme)
        assert [row.pk for row in kept] == [build.artefact_id for build in builds[1:]]
        assert all(default_storage.exists(row.file) for row in kept)


@pytest.fixture
def admin_of_all():
    """A signed-in superuser."""
    with scope.all_tenants("test"):
        staff = User.objects.create_superuser("root", "root@example.org", "x")
    client = Client()
    client.force_login(staff)
    return client


def test_five_artefacts_are_kept_by_default():
    assert settings.ARTEFACT_KEEP == 5
