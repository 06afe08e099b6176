"""A published version reaches the lists: a build with the artefact that serves makes them anew, without training.

The rows say what is due: a placement's active version is another than the one its active build was made with. So a
lost message costs a minute, and a build that ran while a version was published is followed by the next.
"""

from datetime import datetime, timedelta

import structlog
from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Cast, Coalesce

from accounts.tenancy import scope
from recommendations.pipeline.builds.lifecycle import BuildRunning, start
from recommendations.pipeline.builds.rollback import active_artefact
from recommendations.pipeline.models import Build
from recommendations.placements.models import Placement

REASON = "rules published"
# After a build that failed, so that rules that cannot be applied do not keep the workers busy.
PATIENCE = timedelta(minutes=10)
_log = structlog.get_logger(__name__)


def apply_all(*, now: datetime) -> int:
    """Starts what is due for every tenant; returns how many builds that are."""
    with scope.all_tenants("published rules: whose lists are older"):
        # Without a version too: the active build may have been made with one that was rolled back.
        made_with = Func(F("active_build__versions"), Cast("pk", TextField()), function="jsonb_extract_path_text")
        compared = Placement.objects.annotate(
            made_with=Coalesce(made_with, Value(""), output_field=TextField()),
            published_as=Coalesce(Cast("active_version_id", TextField()), Value("")),
        )
        waiting = Q(active_build__isnull=True) | ~Q(made_with=F("published_as"))
        published = compared.filter(waiting, tenant__active=True)
        tenant_ids = list(published.order_by("tenant_id").values_list("tenant_id", flat=True).distinct())
    return sum(apply(tenant_id=tenant_id, now=now) for tenant_id in tenant_ids)


def apply(*, tenant_id: int, now: datetime) -> bool:
    """Starts a build where a placement's lists do not follow its version yet; not for a tenant without a snapshot."""
    with scope.tenant(tenant_id):
        artefact = active_artefact(tenant_id=tenant_id)
        if artefact is None or not _due(tenant_id):
            return False
        failed = Build.objects.filter(
            tenant_id=tenant_id, reason=REASON, status=Build.Status.FAILED, started_at__gt=now - PATIENCE
        )
        if failed.exists():
            return False
    try:
        start(tenant_id=tenant_id, reason=REASON, now=now, artefact_id=artefact.pk)
    except BuildRunning:
        _log.info("rules_wait_for_build", tenant_id=tenant_id)
        return False
    return True


def _due(tenant_id: int) -> bool:
    """No version is what a build without an entry was made with, too."""
    rows = Placement.objects.filter(tenant_id=tenant_id).values_list("pk", "active_version", "active_build__versions")
    return any(versions is None or versions.get(str(pk)) != version for pk, version, versions in rows)
