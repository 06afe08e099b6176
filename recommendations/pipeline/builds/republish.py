"""Applies published rules to the lists: a build with the serving artefact, without training.

The rows say what is due: a placement whose active version is not the one that its active build was made with. So a lost
message costs a minute, and a build that ran while a version was published is followed by another.
"""

from datetime import datetime, timedelta

from django.db.models import F, Func, Q, TextField, Value
from django.db.models.functions import Cast, Coalesce

from accounts.tenancy import scope
from recommendations.pipeline.builds.lifecycle import active_artefact, start_unless_running
from recommendations.pipeline.models import Build
from recommendations.placements.models import Placement

REASON = "rules published"
# The pause after a failed build, so that rules that cannot be applied do not keep the workers busy.
PAUSE = timedelta(minutes=10)


def republish_all(*, now: datetime) -> int:
    """Starts the builds that are due for all tenants; returns how many."""
    with scope.all_tenants("published rules: whose lists are older"):
        # Placements without a version too: the active build may have been made with one that was rolled back.
        made_with = Func(F("active_build__versions"), Cast("pk", TextField()), function="jsonb_extract_path_text")
        compared = Placement.objects.annotate(
            made_with=Coalesce(made_with, Value(""), output_field=TextField()),
            published_as=Coalesce(Cast("active_version_id", TextField()), Value("")),
        )
        outdated = Q(active_build__isnull=True) | ~Q(made_with=F("published_as"))
        placements = compared.filter(outdated, tenant__active=True)
        tenant_ids = list(placements.order_by("tenant_id").values_list("tenant_id", flat=True).distinct())
    return sum(republish(tenant_id=tenant_id, now=now) for tenant_id in tenant_ids)


def republish(*, tenant_id: int, now: datetime) -> bool:
    """Starts a build if a placement's lists are older than its version; never for a tenant without a snapshot."""
    with scope.tenant(tenant_id):
        artefact = active_artefact(tenant_id=tenant_id)
        if artefact is None or not _is_due(tenant_id):
            return False
        failed = Build.objects.filter(
            tenant_id=tenant_id, reason=REASON, status=Build.Status.FAILED, started_at__gt=now - PAUSE
        )
        if failed.exists():
            return False
    build = start_unless_running(tenant_id=tenant_id, reason=REASON, now=now, artefact_id=artefact.pk)
    return build is not None


def _is_due(tenant_id: int) -> bool:
    """Compares versions; a build without an entry for a placement was made with no version."""
    rows = Placement.objects.filter(tenant_id=tenant_id).values_list("pk", "active_version", "active_build__versions")
    return any(versions is None or versions.get(str(pk)) != version for pk, version, versions in rows)
