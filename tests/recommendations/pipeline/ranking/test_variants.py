"""Arms of an experiment follow versions of the placement's rules and artefacts, in builds and near line."""

from collections import Counter

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.tenancy import scope
from core import clock
from core.errors import Conflict
from recommendations.ai.models import AIAnswer, AICall
from recommendations.experiments import lifecycle
from recommendations.models import Artefact, Experiment, ExperimentArm, Placement
from recommendations.pipeline.artefacts import experiment_start
from recommendations.pipeline.builds import cleanup
from recommendations.pipeline.nearline import rescore
from recommendations.placements import versions
from tests.recommendations.lists import create_placement
from tests.recommendations.pipeline.generated import build_now, first_build, happen, lists_of, stored

FIRST = ("i0059", "i0058", "i0057")
PIN = {"pins": [{"item_id": item_id, "position": place} for place, item_id in enumerate(FIRST, start=1)]}


def draft_of(tenant, *arms, placement="home", percent=45):
    """An experiment whose arms have these fields and so many percent each; `rules` becomes a draft of the placement."""
    place = create_placement(tenant_id=tenant.pk, name=placement)
    made = []
    for fields in arms:
        made.append({name: value for name, value in fields.items() if name != "rules"})
        if (rules := fields.get("rules")) is not None:
            version = versions.create_draft(tenant_id=tenant.pk, placement=placement, rules=rules, now=clock.now())
            made[-1]["version"] = version
    with scope.tenant(tenant.pk):
        home = Placement.objects.get(tenant=tenant, name="home") if placement != "home" else place
        experiment = Experiment.objects.create(tenant=tenant, placement=home, name="Arms")
        for letter, fields in zip("abc", made, strict=False):
            ExperimentArm.objects.create(tenant=tenant, experiment=experiment, letter=letter, percent=percent, **fields)
    return experiment


def started(tenant, *arms, percent=45):
    experiment = draft_of(tenant, *arms, percent=percent)
    experiment_start.start_experiment(tenant_id=tenant.pk, experiment_id=experiment.pk, now=clock.now())
    return experiment


def heads(lists, label):
    return {name: stored(row).head_ids[:3] for name, row in lists.items() if row.arm == label}


class TestRules:
    @pytest.mark.slow
    def test_lists_follow_their_arm_and_keep_to_it_near_line(self, acme):
        experiment = started(acme, {}, {"rules": PIN | {"rotate_minutes": 60}})
        versions.change_draft(
            tenant_id=acme.pk, placement="home", number=1, rules={}
        )  # the rules were copied at the start

        build = build_now(acme)

        lists = lists_of(acme, build)
        a, b = f"x{experiment.pk}a", f"x{experiment.pk}b"
        plain, pinned, outside = heads(lists, a), heads(lists, b), heads(lists, "")
        assert min(len(plain), len(pinned), len(outside)) > 0
        assert set(pinned.values()) == {FIRST}
        assert [name for name, first in {**plain, **outside}.items() if first == FIRST] == []
        # What is done at the moment of reading travels with the list, so it is the arm's, too.
        assert {row.arm for row in lists.values() if stored(row).reading} == {b}

        changed = [min(plain), min(pinned)]
        rescore.rescore(tenant_id=acme.pk, user_pks=[happen(acme, name, "i0001").pk for name in changed])

        after = {name: lists_of(acme, build)[name] for name in changed}
        assert [row.version for row in after.values()] == [2, 2]
        assert [row.arm for row in after.values()] == [stored(row).provenance.arm for row in after.values()] == [a, b]
        assert [stored(row).head_ids[:3] == FIRST for row in after.values()] == [False, True]
        assert [bool(stored(row).reading) for row in after.values()] == [False, True]

        lifecycle.end(tenant_id=acme.pk, experiment_id=experiment.pk, now=clock.now())
        rescore.rescore(tenant_id=acme.pk, user_pks=[happen(acme, changed[1], "i0002").pk])

        last = lists_of(acme, build)[changed[1]]
        assert (last.arm, stored(last).provenance.arm) == ("", "")  # it is made as everybody's, so it is in no arm
        assert stored(last).head_ids[:3] != FIRST

    def test_a_version_of_another_placement_is_refused(self, cast):
        tenant = cast.acme.tenant
        create_placement(tenant_id=tenant.pk, name="home")
        experiment = draft_of(tenant, {"rules": {}}, {"rules": {}}, placement="cart")

        with pytest.raises(Conflict, match="another placement"):
            experiment_start.start_experiment(tenant_id=tenant.pk, experiment_id=experiment.pk, now=clock.now())


class TestArtefacts:
    def artefact(self, tenant, **fields):
        with scope.tenant(tenant.pk):
            return Artefact.objects.create(
                tenant=tenant, items=1, people=1, interactions=1, size_bytes=1, train_seconds=1, **fields
            )

    def test_that_may_not_or_cannot_serve_are_refused(self, cast):
        tenant = cast.acme.tenant
        refused = self.artefact(tenant, file="none", refused=True)
        lost = self.artefact(tenant, file="artefacts/none.npz")
        strange = self.artefact(cast.globex.tenant, file="none")

        for artefact_id, why in (
            (refused.pk, "quality gate"),
            (lost.pk, "storage"),
            (strange.pk, "does not exist"),
            (strange.pk + 1, "does not exist"),
        ):
            experiment = draft_of(tenant, {}, {"artefact_id": artefact_id})
            with pytest.raises(Conflict, match=why):
                experiment_start.start_experiment(tenant_id=tenant.pk, experiment_id=experiment.pk, now=clock.now())
            with scope.tenant(tenant.pk):
                assert Experiment.objects.get(pk=experiment.pk).status == "draft"

    def test_are_not_pruned_before_the_experiment_has_ended(self, cast, settings):
        settings.ARTEFACT_KEEP = 1
        tenant = cast.acme.tenant
        files = [default_storage.save(f"artefacts/{tenant.pk}/{name}.npz", ContentFile(b"-")) for name in "ab"]
        pinned, _ = (self.artefact(tenant, file=file) for file in files)
        newest = self.artefact(tenant, file="none")
        experiment = started(tenant, {}, {"artefact_id": pinned.pk})

        def left():
            cleanup.prune(tenant_id=tenant.pk, now=clock.now())
            with scope.tenant(tenant.pk):
                kept = set(Artefact.objects.filter(tenant=tenant).values_list("pk", flat=True))
            return kept, [default_storage.exists(file) for file in files]

        assert left() == ({pinned.pk, newest.pk}, [True, False])
        lifecycle.end(tenant_id=tenant.pk, experiment_id=experiment.pk, now=clock.now())
        assert left() == ({newest.pk}, [False, False])
        with scope.tenant(tenant.pk):
            assert ExperimentArm.objects.get(experiment=experiment, letter="b").artefact_id == pinned.pk

    @pytest.mark.slow
    def test_make_the_lists_of_their_arm_while_they_can_be_read(self, acme):
        first = first_build(acme)
        happen(acme, "u0000", *(f"i{number:04d}" for number in range(20)))
        experiment = started(acme, {}, {"artefact_id": first.artefact_id})
        label = f"x{experiment.pk}b"

        second = build_now(acme)

        lists = lists_of(acme, second)
        made_with = Counter((row.arm == label, stored(row).provenance.artefact) for row in lists.values())
        assert second.artefact_id != first.artefact_id
        assert made_with.keys() == {(True, first.artefact_id), (False, second.artefact_id)}
        name = min(name for name, row in lists.items() if row.arm == label and name != "u0000")
        assert stored(lists[name]).head_ids == stored(lists_of(acme, first)[name]).head_ids

        person = happen(acme, name, "i0001")
        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])
        held = stored(lists_of(acme, second)[name]).provenance
        assert (held.version, held.artefact, held.arm) == (2, first.artefact_id, label)

        with scope.tenant(acme.pk):
            Artefact.objects.filter(pk=first.artefact_id or 0).update(file="artefacts/lost.npz")
        third = lists_of(acme, build_now(acme))
        assert len(third) == len(lists)  # nobody is without a list, and nobody is counted for what they did not get
        assert label not in {row.arm for row in third.values()}


@pytest.mark.slow
class TestPrompts:
    def test_are_those_of_the_arm_in_calls_ledger_and_stored_answers(self, acme, simulated_ai):
        varied = {"rules": {"prompt": "rerank-variety-1"}}
        started(acme, {"rules": {}}, varied, {"rules": {"ai": False}}, percent=33)

        lists = lists_of(acme, build_now(acme, ai=True))

        asked = Counter(row.arm[-1:] for row in lists.values() if row.source == "ai" and row.arm.startswith("x"))
        assert asked.keys() == {"a", "b"}
        with scope.tenant(acme.pk):
            for model in (AICall, AIAnswer):
                by_prompt = Counter(model.objects.values_list("prompt_version", flat=True))
                assert by_prompt["rerank-variety-1"] == asked["b"]
                assert by_prompt.total() == sum(row.source == "ai" for row in lists.values())
