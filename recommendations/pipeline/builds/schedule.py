"""Starts builds that are due: every tenant with data each night, and a tenant whose first data has arrived."""

from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.interactions.models import Interaction
from recommendations.pipeline.builds.lifecycle import start_unless_running
from recommendations.pipeline.models import Build

NIGHTLY, FIRST = "nightly", "first data"
# A message that is delivered twice must not build twice.
REPEATED_WITHIN = timedelta(hours=1)


def plan_nightly(*, now: datetime) -> int:
    """Starts a build for each active tenant with interactions; returns the number of builds."""
    recent = Build.objects.filter(tenant=OuterRef("pk")).filter(
        Q(status__in=Build.RUNNING) | Q(reason=NIGHTLY, started_at__gt=now - REPEATED_WITHIN)
    )
    with scope.all_tenants("nightly builds"):
        due = Tenant.objects.filter(
            Exists(Interaction.objects.filter(tenant=OuterRef("pk"))), ~Exists(recent), active=True
        )
        tenant_ids = list(due.order_by("pk").values_list("pk", flat=True))
    started = (
        start_unless_running(tenant_id=tenant_id, reason=NIGHTLY, now=now, ai_batch=True) for tenant_id in tenant_ids
    )
    return sum(build is not None for build in started)


def plan_first(*, tenant_id: int, now: datetime) -> bool:
    """Starts the tenant's first build if it has interactions and no build has succeeded or runs."""
    with scope.tenant(tenant_id):
        has_build = Build.objects.filter(tenant_id=tenant_id).exclude(status=Build.Status.FAILED).exists()
        due = not has_build and Interaction.objects.filter(tenant_id=tenant_id).exists()
    return due and start_unless_running(tenant_id=tenant_id, reason=FIRST, now=now) is not None
