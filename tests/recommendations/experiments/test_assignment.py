"""Assignment of users to the arms of an experiment: always the same one, in the shares that were set."""

import pytest
from django.urls import reverse

from accounts.tenancy import scope
from core.errors import Conflict
from recommendations.experiments import assignment, lifecycle
from recommendations.models import ExperimentArm
from tests.recommendations.attribution.trials import PEOPLE, START, assigned, draft, started

pytestmark = pytest.mark.django_db


class TestAssignment:
    def test_is_sticky_in_the_shares_and_leaves_others_out(self, tenant):
        started(tenant, percents=(30, 20, 10))
        first, again = assigned(tenant), assigned(tenant)

        assert first == again
        shares = [sum(found is not None and found[-1] == letter for found in first.values()) for letter in "abc"]
        for share, percent in zip(shares, (30, 20, 10), strict=True):
            assert abs(share / PEOPLE - percent / 100) < 0.02

    def test_is_drawn_anew_for_each_experiment(self, tenant):
        one = started(tenant)
        before = assigned(tenant)
        lifecycle.end(tenant_id=tenant.pk, experiment_id=one.pk, now=START)
        started(tenant)
        after = assigned(tenant)

        same = sum(str(before[person])[-1] == str(after[person])[-1] for person in before)
        assert 0.4 < same / PEOPLE < 0.6

    @pytest.mark.parametrize(
        ("before", "after", "most"),
        [
            ((10, 10), (30, 30), 0),  # only people from outside come in
            ((20, 20, 10), (33, 20, 33), 0),
            ((80, 20), (60, 40), 20),  # as many as must
            ((50, 30), (50, 10), 0),  # who leaves goes to no other arm
            ((60, 20, 20), (20, 20, 20), 0),
        ],
    )
    def test_moves_nobody_between_arms_who_need_not_move_when_shares_change(self, before, after, most):
        one, other = assignment.allocate_slots(before), assignment.allocate_slots(after)

        for places, shares in ((one, before), (other, after)):
            assert [places.count(arm) for arm in range(len(shares))] == list(shares)
        moved = [place for place, arm in enumerate(one) if arm is not None and other[place] not in (arm, None)]
        stayed = sum(arm is not None and arm == other[place] for place, arm in enumerate(one))
        assert len(moved) == most
        assert stayed == sum(map(min, before, after))

    def test_keeps_its_shares_once_it_has_started(self, tenant, admin_browser):
        experiment = started(tenant)
        with scope.tenant(tenant.pk):
            arm = ExperimentArm.objects.get(experiment=experiment, letter="a")
        change = reverse("admin:recommendations_experiment_change", args=[experiment.pk])
        sent = {"name": "Reasons", "arms-TOTAL_FORMS": 1, "arms-INITIAL_FORMS": 1, "arms-0-id": arm.pk}

        admin_browser.post(change, sent | {"arms-0-letter": "a", "arms-0-percent": 90})

        with scope.tenant(tenant.pk):
            assert ExperimentArm.objects.get(pk=arm.pk).percent == 50

    @pytest.mark.parametrize("percents", [(), (50,), (60, 60)])
    def test_needs_arms_that_add_up(self, tenant, percents):
        experiment = draft(tenant, percents=percents)

        with pytest.raises(Conflict):
            lifecycle.start(tenant_id=tenant.pk, experiment_id=experiment.pk, now=START)

    def test_is_one_at_a_placement(self, tenant):
        started(tenant)
        second = draft(tenant)

        with pytest.raises(Conflict):
            lifecycle.start(tenant_id=tenant.pk, experiment_id=second.pk, now=START)
