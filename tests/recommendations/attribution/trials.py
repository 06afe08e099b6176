"""Experiments at a placement of a tenant with so many people, for the tests of who is in them and what they say."""

from datetime import UTC, datetime, timedelta

from accounts.tenancy import scope
from recommendations.experiments import assignment, lifecycle
from recommendations.models import EndUser, Experiment, ExperimentArm, Placement

START = datetime(2026, 11, 2, 12, tzinfo=UTC)
PEOPLE = 1600


def populate(tenant, count):
    with scope.tenant(tenant.pk):
        EndUser.objects.bulk_create(
            EndUser(tenant=tenant, user_id=f"p{number}", created_at=START - timedelta(days=9))
            for number in range(count)
        )
    return tenant


def draft(tenant, *, percents=(50, 50), **fields):
    with scope.tenant(tenant.pk):
        placement = Placement.objects.get(tenant=tenant)
        experiment = Experiment.objects.create(tenant=tenant, placement=placement, name="Reasons", **fields)
        for letter, percent in zip("abcdefgh", percents, strict=False):
            ExperimentArm.objects.create(tenant=tenant, experiment=experiment, letter=letter, percent=percent)
    return experiment


def started(tenant, **fields):
    experiment = draft(tenant, **fields)
    lifecycle.start(tenant_id=tenant.pk, experiment_id=experiment.pk, now=START)
    return experiment


def reread(experiment):
    with scope.tenant(experiment.tenant_id):
        return Experiment.objects.get(pk=experiment.pk)


def assigned(tenant):
    with scope.tenant(tenant.pk):
        found = assignment.running_assignment(tenant_id=tenant.pk, placement_id=Placement.objects.get(tenant=tenant).pk)
    assert found is not None
    return {f"p{number}": found.arm_of(f"p{number}") for number in range(PEOPLE)}
