"""The control arm of AI: a fixed share of users, stored with their lists."""

from collections import Counter

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.experiments import lifecycle as experiments
from recommendations.models import Experiment, ExperimentArm, Placement
from recommendations.pipeline.nearline import rescore
from tests.recommendations.pipeline.conftest import COLD, PEOPLE
from tests.recommendations.pipeline.generated import build_now, happen, lists_of, stored


@pytest.mark.slow
class TestControlArm:
    def test_never_meets_ai_and_is_stored_with_the_list(self, acme, simulated_ai, settings):
        settings.AI_CONTROL_PERCENT = 25

        build = build_now(acme, ai=True)

        lists = lists_of(acme, build)
        controls = {name for name, row in lists.items() if row.arm == "control"}
        assert 0 < len(controls) < PEOPLE
        assert build.outcomes["ai_skipped"] == {"control": len(controls), "gate": COLD}
        assert {lists[name].source for name in controls} == {"model"}
        assert Counter(row.arm for row in lists.values()) == {
            "control": len(controls),
            "ai": PEOPLE - len(controls),
            "": COLD,
        }
        assert {name for name, row in lists.items() if stored(row).provenance.arm == "control"} == controls
        assert {
            name for name, row in lists_of(acme, build_now(acme, ai=True)).items() if row.arm == "control"
        } == controls

    def test_gives_way_to_an_experiment_whose_arms_are_stored_and_meet_ai_as_they_say(self, acme, simulated_ai):
        with scope.tenant(acme.pk):
            placement, _ = Placement.objects.get_or_create(tenant=acme, name="home")
            experiment = Experiment.objects.create(tenant=acme, placement=placement, name="AI or not")
            for letter, percent, ai in (("a", 40, False), ("b", 40, True)):
                ExperimentArm.objects.create(tenant=acme, experiment=experiment, letter=letter, percent=percent, ai=ai)
        experiments.start(tenant_id=acme.pk, experiment_id=experiment.pk, now=clock.now())

        lists = lists_of(acme, build_now(acme, ai=True))

        by_arm = Counter((row.arm, row.source) for row in lists.values() if row.source in ("ai", "model"))
        without, with_ai = f"x{experiment.pk}a", f"x{experiment.pk}b"
        assert by_arm[without, "model"] > 5
        assert by_arm[without, "ai"] == 0
        assert by_arm[with_ai, "ai"] > 5
        outside = [row.arm for row in lists.values() if not row.arm.startswith("x")]
        assert set(outside) <= {"ai", "control", ""}
        assert len(outside) < len(lists) / 2

    def test_has_the_placements_own_share(self, acme, simulated_ai, settings):
        settings.AI_CONTROL_PERCENT = 25
        with scope.tenant(acme.pk):
            Placement.objects.create(tenant=acme, name="home", ai_control_percent=0)

        assert "control" not in build_now(acme, ai=True).outcomes["ai_skipped"]

    def test_keeps_its_name_when_near_line_makes_the_list_anew(self, acme, simulated_ai, settings):
        settings.AI_CONTROL_PERCENT = 25
        build = build_now(acme, ai=True)
        name = next(name for name, row in lists_of(acme, build).items() if row.arm == "control")
        person = happen(acme, name, "i0001")

        rescore.rescore(tenant_id=acme.pk, user_pks=[person.pk])

        row = lists_of(acme, build)[name]
        assert (row.version, row.arm, stored(row).provenance.arm) == (2, "control", "control")
