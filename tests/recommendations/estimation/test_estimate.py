"""Estimates from pages that were served and clicks that were counted: right, or plainly refused."""

from datetime import timedelta

import pytest

from accounts.models import Tenant
from accounts.tenancy import scope, tenant_cache
from core import clock
from core.errors import NotFound
from recommendations.estimation import logged_pages, target_lists, text_report
from recommendations.estimation.estimate import NO_ARTEFACT, NOT_MADE, estimate
from recommendations.experiments import lifecycle
from recommendations.experiments.models import Experiment, ExperimentArm
from recommendations.models import Artefact, EndUser, Placement
from recommendations.placements.rule_validation import read_rules
from recommendations.privacy.erase import erase_end_user
from recommendations.serving.preview.preview import preview
from tests.recommendations.estimation.conftest import OTHER, draft, later, publish
from tests.recommendations.estimation.shows import clicks_of, show
from tests.recommendations.pipeline.generated import build_now

ROTATING = {"rotate_minutes": 1, "ai": False}
HOUR = timedelta(hours=1)


def asked(tenant, number=None, **options):
    return estimate(tenant_id=tenant.pk, placement="home", number=number, now=later(), **options)


def near(found, truth):
    """Within three standard errors: that 95 % intervals hold it in 95 of 100 is tested with the estimators."""
    return abs(found.value - truth) <= 0.75 * (found.high - found.low)


def would(tenant, number):
    """Return what version `number` would show each person now, by the code of the preview."""
    with scope.tenant(tenant.pk):
        people = list(EndUser.objects.order_by("pk").values_list("user_id", flat=True))
    return {
        user_id: [
            item.item_id
            for item in preview(
                tenant_id=tenant.pk, placement="home", number=number, user_id=user_id, now=clock.now()
            ).would.items
        ]
        for user_id in people
    }


class TestAnEstimate:
    @pytest.mark.slow
    def test_holds_the_truth_and_is_made_of_lists_as_they_would_have_been(self, made):
        tenant = made(ROTATING)
        number = draft(tenant, OTHER).number
        lists = would(tenant, number)  # before anybody clicked
        truth = sum(map(clicks_of, lists.values())) / len(lists)
        measured = show(tenant, times=30, apart=HOUR, until=later(22))

        found = asked(tenant, number)

        made_of = found.estimates
        assert found.verdict.enough
        assert found.overlap.pages == 30 * len(lists)
        assert found.left_out == {}
        assert made_of.logged.value == pytest.approx(measured, rel=0.02)
        assert near(made_of.snips, truth)
        assert near(made_of.doubly_robust, truth)
        assert made_of.snips.high - made_of.snips.low < truth
        with scope.tenant(tenant.pk):
            place = Placement.objects.select_related("active_build").get(name="home")
            maker = target_lists.target_list_maker(place, read_rules(OTHER))
            pages = logged_pages.read(
                tenant_id=tenant.pk, placement="home", since=clock.now(), until=later(), most=10_000
            )
            names = dict(EndUser.objects.values_list("pk", "user_id"))
        again = maker.make(pages, seconds=60)
        assert {names[person]: list(each.item_ids[:20]) for (person, *_), each in again.items()} == lists

    @pytest.mark.slow
    def test_of_what_serves_is_what_was_measured(self, made):
        tenant = made(ROTATING)
        show(tenant, times=5, apart=HOUR, until=later(22))

        found = asked(tenant, 1)

        assert found.state == "serving"
        assert found.estimates.snips.value == pytest.approx(found.estimates.logged.value)
        assert found.overlap.largest_weight == pytest.approx(1.0)

    @pytest.mark.slow
    def test_for_people_without_a_history_weighs_what_was_explored(self, made):
        tenant = made({"exploration": 0.3, "ai": False}, cold=60)
        with scope.tenant(tenant.pk):
            EndUser.objects.filter(last_event_at__isnull=False).delete()
        more, none = (draft(tenant, {"exploration": share, "ai": False}).number for share in (0.5, 0.0))
        lists = would(tenant, none)
        truth = sum(map(clicks_of, lists.values())) / len(lists)
        for number in range(6):
            show(tenant, times=2, apart=HOUR / 2, until=later(number), seed=number)

        found = asked(tenant, more)
        plain = asked(tenant, none)

        assert found.verdict.enough
        assert found.overlap.unsupported < 1e-9
        assert found.overlap.largest_weight > 1.1
        assert plain.overlap.unsupported < 1e-9
        assert plain.estimates is None or near(plain.estimates.snips, truth)

    @pytest.mark.slow
    def test_people_of_an_arm_that_shows_the_version_stand_for_those_of_the_others(self, made):
        tenant = made({"ai": False}, people=130)
        version = draft(tenant, OTHER)
        with scope.tenant(tenant.pk):
            place = Placement.objects.get(name="home")
            trial = Experiment.objects.create(tenant=tenant, placement=place, name="boosts")
            for letter, own in (("a", None), ("b", version)):
                ExperimentArm.objects.create(tenant=tenant, experiment=trial, letter=letter, percent=50, version=own)
        lifecycle.start(tenant_id=tenant.pk, experiment_id=trial.pk, now=clock.now())
        build_now(tenant)
        lists = would(tenant, version.number)
        truth = sum(map(clicks_of, lists.values())) / len(lists)
        show(tenant, times=6, apart=HOUR, until=later(22))

        found = asked(tenant, version.number)

        arms = {arm.arm[-1]: arm for arm in found.arms}
        assert {letter: (arm.share, arm.used) for letter, arm in arms.items()} == {"a": (0.5, False), "b": (0.5, True)}
        assert arms["b"].stands_for == pytest.approx(2.0)
        assert found.overlap.pages == arms["b"].pages
        assert near(found.estimates.snips, truth)
        assert any("not used" in line for line in text_report.report_lines(found))


class TestNotEnoughOverlap:
    def test_is_said_where_nothing_was_drawn(self, made):
        tenant = made({"ai": False})
        number = draft(tenant, OTHER).number
        show(tenant, times=5, apart=HOUR, until=later(22))

        found = asked(tenant, number)

        assert found.estimates is None
        assert found.verdict.reason.startswith("nothing was drawn")
        assert "rotate_minutes" in found.verdict.hint
        assert found.overlap.unsupported > 0.05

    @pytest.mark.slow
    def test_is_not_said_where_the_version_shows_what_was_shown(self, made):
        tenant = made({"ai": False})
        number = draft(tenant, {"ai": False, "hide": ["i9999"]}).number
        show(tenant, times=3, apart=HOUR, until=later(22))

        found = asked(tenant, number)

        assert found.verdict.enough
        assert found.estimates.snips.value == pytest.approx(found.estimates.logged.value)

    @pytest.mark.slow
    def test_is_said_where_the_version_shows_what_was_never_drawn(self, made):
        tenant = made(ROTATING | {"filter": "categories contains 'kind 0'"})
        number = draft(tenant, {"filter": "not categories contains 'kind 0'", "ai": False}).number
        show(tenant, times=4, apart=HOUR, until=later(22))

        found = asked(tenant, number)

        assert found.estimates is None
        assert "could not have been shown" in found.verdict.reason
        assert "experiment" in found.verdict.hint

    @pytest.mark.slow
    def test_is_said_of_few_pages_and_of_none(self, made):
        tenant = made(ROTATING)
        number = draft(tenant, OTHER).number
        none = asked(tenant, number)
        with scope.tenant(tenant.pk):
            Tenant.objects.filter(pk=tenant.pk).update(impressions=Tenant.Impressions.EXPLICIT)
        explicit = asked(tenant, number)
        with scope.tenant(tenant.pk):
            Tenant.objects.filter(pk=tenant.pk).update(impressions=Tenant.Impressions.IMPLIED)
        tenant_cache.load()
        show(tenant, times=1, apart=HOUR, until=later(22))

        few = asked(tenant, number)

        assert (none.verdict.enough, none.overlap.pages) == (False, 0)
        assert "impressions as events" in explicit.verdict.hint
        assert "effective pages of the 30 that are needed" in few.verdict.reason


class TestWhosePages:
    @pytest.mark.slow
    def test_erased_peoples_and_strangers_pages_are_not_used(self, made, cast):
        tenant = made(ROTATING)
        other = made(ROTATING, tenant=cast.globex.tenant)
        draft(tenant, OTHER)
        for each in (tenant, other):
            show(each, times=2, apart=HOUR, until=later(22))
        before = asked(tenant).overlap

        for user_id in ("u0001", "u0002"):
            erase_end_user(tenant_id=tenant.pk, user_id=user_id, now=clock.now())

        after = asked(tenant).overlap
        assert (before.people, before.pages) == (60, 120)
        assert (after.people, after.pages) == (58, 116)
        with pytest.raises(NotFound, match=r"has no draft\. Its versions are: 1\."):
            asked(other)

    @pytest.mark.slow
    def test_pages_of_another_placement_or_too_old_or_too_young_are_not_used(self, made):
        tenant = made(ROTATING)
        publish(tenant, ROTATING, "shelf")
        build_now(tenant)
        show(tenant, times=1, apart=HOUR, until=later(22), placement="shelf")
        show(tenant, times=2, apart=timedelta(hours=7), until=later(29.5))
        draft(tenant, OTHER)

        assert asked(tenant).overlap.pages == 60
        assert asked(tenant, days=1).overlap.pages == 60
        assert estimate(tenant_id=tenant.pk, placement="home", number=None, now=later(60), days=1).overlap.pages == 0

    @pytest.mark.slow
    def test_lists_whose_artefact_is_gone_and_those_without_time_are_counted(self, made):
        tenant = made(ROTATING)
        draft(tenant, OTHER)
        show(tenant, times=1, apart=HOUR, until=later(22))

        assert asked(tenant, seconds=-1.0).left_out == {NOT_MADE: 60}
        with scope.tenant(tenant.pk):
            file = Artefact.objects.get().file
            Artefact.objects.update(file="artefacts/gone.npz")
        try:
            assert asked(tenant).left_out == {NO_ARTEFACT: 60}
        finally:
            with scope.tenant(tenant.pk):
                Artefact.objects.update(file=file)
