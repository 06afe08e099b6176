"""The life of a whole build, apart from its steps: it is started, as a rollback too, and it fails."""

from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Tenant
from accounts.tenancy import scope
from core.errors import Conflict, NotFound
from core.queue import enqueue
from core.quoting import quoted
from recommendations.ai.config.settings import AIConfiguration
from recommendations.metrics import BUILDS
from recommendations.pipeline.models import Artefact, Build
from recommendations.pipeline.task_names import TRAIN
from recommendations.placements.models import HOME, Placement

# Messages that carry a build's chunks through the queue: each does one chunk and then sends itself again. So no build
# fills the queue, builds of several tenants take turns, and at most this many workers serve one of them.
LANES = 16
_log = structlog.get_logger(__name__)


class BuildRunning(Conflict):
    """The tenant has a running build already; there is one at a time."""

    code = "build_running"
    title = "A build is running"


class NothingToRollBackTo(Conflict):
    """No earlier artefact is kept."""

    code = "no_earlier_artefact"
    title = "No earlier artefact"


def ai_calls_limit(tenant: Tenant, config: AIConfiguration) -> int:
    """The number of AI calls that one build of the tenant may make: its plan's, otherwise the configuration's."""
    own = tenant.plan.ai_calls_per_build
    return config.calls_per_build if own is None else own


def _active_tenant(tenant_id: int) -> Tenant:
    tenant = Tenant.objects.select_related("plan").filter(pk=tenant_id, active=True).first()
    if tenant is None:
        raise NotFound("There is no such active tenant.")
    return tenant


def _active_versions(tenant_id: int) -> dict[str, int | None]:
    Placement.objects.get_or_create(tenant_id=tenant_id, name=HOME)
    versions = Placement.objects.filter(tenant_id=tenant_id).values_list("pk", "active_version_id")
    return {str(placement): version for placement, version in versions}


def _ai_fields(tenant: Tenant, *, ai: bool, ai_batch: bool) -> dict[str, Any]:
    config = AIConfiguration.from_settings(settings)
    return {
        "ai_calls_limit": ai_calls_limit(tenant, config) if ai else 0,
        "ai_simulated": config.in_use and config.simulated,
        "asks_later": ai and ai_batch and config.in_use and config.batch,
    }


def start(
    *,
    tenant_id: int,
    reason: str,
    now: datetime,
    ai: bool = True,
    artefact_id: int | None = None,
    gated: bool = True,
    validation: str = "",
    ai_batch: bool = False,
) -> Build:
    """Starts a build of all lists of the tenant: writes the row and enqueues the training after the commit.

    Args:
        tenant_id: The tenant.
        reason: Why it was started, for staff.
        now: Also the cut-off of its training.
        ai: Lets AI rerank its lists.
        artefact_id: The artefact of its lists; by default it trains one.
        gated: Subjects the trained artefact to the quality gate.
        validation: The events that are held back, one of VALIDATIONS; empty for the tenant's setting.
        ai_batch: Asks AI through the batch interface if AI_BATCH is on.

    Raises:
        BuildRunning: The tenant has a running build.
        NotFound: The tenant does not exist or is not active.
    """
    try:
        with scope.tenant(tenant_id):
            tenant = _active_tenant(tenant_id)
            with transaction.atomic():
                build = Build.objects.create(
                    tenant_id=tenant_id,
                    reason=reason,
                    cutoff=now,
                    started_at=now,
                    enqueued_at=now,
                    artefact_id=artefact_id,
                    gated=gated,
                    validation=validation,
                    versions=_active_versions(tenant_id),
                    **_ai_fields(tenant, ai=ai, ai_batch=ai_batch),
                )
            enqueue(TRAIN, tenant_id=tenant_id, build_id=build.pk)
    except IntegrityError as error:
        if "one_running_build_per_tenant" in str(error):
            raise BuildRunning("A build of this tenant is running; wait until it has ended.") from error
        raise
    _log.info("build_started", build_id=build.pk, reason=reason)
    return build


def start_unless_running(*, tenant_id: int, reason: str, now: datetime, **options: Any) -> Build | None:
    """Starts a build; None if one is running.

    Raises:
        NotFound: The tenant does not exist or is not active.
    """
    try:
        return start(tenant_id=tenant_id, reason=reason, now=now, **options)
    except BuildRunning:
        _log.info("build_already_running", tenant_id=tenant_id, reason=reason)
        return None


def roll_back(*, tenant_id: int, artefact_id: int | None = None, now: datetime) -> Build:
    """Starts a build with an earlier artefact: this one, or the newest good one before the active one.

    The serving lists stay until the build is published.

    Raises:
        NotFound: There is no such artefact.
        NothingToRollBackTo: No earlier artefact is kept.
        BuildRunning: The tenant has a running build.
    """
    with scope.tenant(tenant_id):
        artefacts = Artefact.objects.filter(tenant_id=tenant_id)
        if artefact_id is not None:
            target = artefacts.filter(pk=artefact_id).first()
            if target is None:
                raise NotFound(f"There is no artefact #{artefact_id}; it may have been deleted.")
        else:
            active = active_artefact(tenant_id=tenant_id)
            earlier = artefacts.filter(refused=False, pk__lt=active.pk if active else 0)
            target = earlier.order_by("-pk").first()
            if target is None:
                raise NothingToRollBackTo("No artefact from before the active one is kept.")
    return start(tenant_id=tenant_id, reason=f"back to artefact #{target.pk}", now=now, artefact_id=target.pk)


def active_artefact(*, tenant_id: int) -> Artefact | None:
    """The artefact of the serving lists. Call it in the tenant's scope."""
    home = Placement.objects.filter(tenant_id=tenant_id, name=HOME).select_related("active_build__artefact").first()
    return home.active_build.artefact if home and home.active_build else None


def fail(*, tenant_id: int, build_id: int, error: str) -> None:
    """Ends a build that cannot be finished, unless its lists serve already. The old snapshot continues to serve."""
    with scope.tenant(tenant_id):
        unfinished = Build.objects.filter(
            tenant_id=tenant_id, pk=build_id, status__in=[Build.Status.TRAINING, Build.Status.SCORING]
        )
        failed = unfinished.update(
            status=Build.Status.FAILED, error=quoted(error, 500), lease_token=None, lease_until=None
        )
    if failed:
        BUILDS.labels("failed").inc()
        _log.error("build_failed", build_id=build_id, error=error)
