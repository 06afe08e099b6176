"""What can happen to a whole build, apart from its steps: it starts, and it fails."""

from datetime import datetime

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
from recommendations.pipeline.models import Build
from recommendations.pipeline.task_names import TRAIN
from recommendations.placements.models import HOME, Placement

# Messages that carry a build's chunks through the queue: each brings one chunk and then sends itself again. So no
# build fills the queue, builds of several tenants take turns, and at most so many workers serve one of them.
LANES = 16
_log = structlog.get_logger(__name__)


class BuildRunning(Conflict):
    """The tenant has a running build already; there is one at a time."""

    code = "build_running"
    title = "A build is running"


def ai_calls_limit(tenant: Tenant, config: AIConfiguration) -> int:
    """How many calls of AI one build of the tenant may make: its plan's, else the configuration's."""
    own = tenant.plan.ai_calls_per_build
    return config.calls_per_build if own is None else own


def start(
    *,
    tenant_id: int,
    reason: str,
    now: datetime,
    ai: bool = True,
    artefact_id: int | None = None,
    gated: bool = True,
    validation: str = "",
    later: bool = False,
) -> Build:
    """Starts a build of all lists of the tenant: the row, and a message to the workers after the commit.

    With `artefact_id` nothing is trained. Without `gated` what is trained serves however good it is. `validation` says
    which events it holds back, one of VALIDATIONS; empty is the tenant's setting. With `later` AI is asked through the
    batch interface, where AI_BATCH is on.

    Raises: BuildRunning, NotFound for a tenant that does not exist or is not active.
    """
    try:
        with scope.tenant(tenant_id):
            tenant = Tenant.objects.select_related("plan").filter(pk=tenant_id, active=True).first()
            if tenant is None:
                raise NotFound("There is no such active tenant.")
            Placement.objects.get_or_create(tenant_id=tenant_id, name=HOME)
            config = AIConfiguration.from_settings(settings)
            versions = Placement.objects.filter(tenant_id=tenant_id).values_list("pk", "active_version_id")
            with transaction.atomic():
                build = Build.objects.create(
                    tenant_id=tenant_id,
                    reason=reason,
                    cutoff=now,
                    started_at=now,
                    enqueued_at=now,
                    ai_calls_limit=ai_calls_limit(tenant, config) if ai else 0,
                    ai_simulated=config.in_use and config.simulated,
                    artefact_id=artefact_id,
                    gated=gated,
                    validation=validation,
                    asks_later=ai and later and config.in_use and config.batch,
                    versions={str(placement): version for placement, version in versions},
                )
            enqueue(TRAIN, tenant_id=tenant_id, build_id=build.pk)
    except IntegrityError as error:
        if "one_running_build_per_tenant" in str(error):
            raise BuildRunning("A build of this tenant is running; wait until it has ended.") from error
        raise
    _log.info("build_started", build_id=build.pk, reason=reason)
    return build


def fail(*, tenant_id: int, build_id: int, error: str) -> None:
    """Ends a build that cannot be finished, unless its lists serve already. The old snapshot serves on."""
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
