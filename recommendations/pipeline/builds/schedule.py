"""Who is due for a build: every tenant with data each night, and a tenant whose first data has come."""

from datetime import datetime, timedelta

import structlog
from django.db.models import Exists, OuterRef, Q

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.interactions.models import Interaction
from recommendations.pipeline.builds.lifecycle import BuildRunning, start
from recommendations.pipeline.models import Build

NIGHTLY, FIRST = "nightly", "first data"
# A message that is delivered twice must not build twice.
REPEATED_WITHIN = timedelta(hours=1)
_log = structlog.get_logger(__name__)


def plan_nightly(*, now: datetime) -> int:
    """Starts a build for each active tenant with interactions; returns how many it started."""
    lately = Build.objects.filter(tenant=OuterRef("pk")).filter(
        Q(status__in=Build.RUNNING) | Q(reason=NIGHTLY, started_at__gt=now - REPEATED_WITHIN)
    )
    with scope.all_tenants("nightly builds"):
        due = Tenant.objects.filter(
            Exists(Interaction.objects.filter(tenant=OuterRef("pk"))), ~Exists(lately), active=True
        )
        tenant_ids = list(due.order_by("pk").values_list("pk", flat=True))
    return sum(_started(tenant_id, NIGHTLY, now) for tenant_id in tenant_ids)


def plan_first(*, tenant_id: int, now: datetime) -> bool:
    """Starts the tenant's first build if it has interactions and never had a build that succeeded or runs."""
    with scope.tenant(tenant_id):
        had = Build.objects.filter(tenant_id=tenant_id).exclude(status=Build.Status.FAILED).exists()
        due = not had and Interaction.objects.filter(tenant_id=tenant_id).exists()
    return due and _started(tenant_id, FIRST, now)


def _started(tenant_id: int, reason: str, now: datetime) -> bool:
    try:
        start(tenant_id=tenant_id, reason=reason, now=now, later=reason == NIGHTLY)
    except BuildRunning:
        _log.info("build_already_running", tenant_id=tenant_id)
        return False
    return True
