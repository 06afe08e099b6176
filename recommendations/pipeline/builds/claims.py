"""Claims on the steps and chunks of builds."""

from contextlib import AbstractContextManager
from functools import partial

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.tenancy import scope
from core import leases
from core.leases import MAX_ATTEMPTS, Heartbeat, Lease
from core.quoting import quoted
from recommendations.pipeline.models import Build, Chunk


def claim_step(*, tenant_id: int, build_id: int, status: str) -> Lease | None:
    """Claims the step of a build that is in this status and has no pending chunk; None where another worker has it."""
    lease = _lease(Build, tenant_id, build_id)
    with scope.tenant(tenant_id):
        return lease if lease.claim(~Exists(pending_chunks()), Q(status=status)) else None


def claim_chunk(*, tenant_id: int, build_id: int) -> tuple[Lease, Chunk] | None:
    """Claims the next pending chunk of a build in scoring; None when there is none to claim."""
    pending = Chunk.objects.filter(
        leases.free(),
        tenant_id=tenant_id,
        build_id=build_id,
        build__status=Build.Status.SCORING,
        status=Chunk.Status.PENDING,
        attempts__lt=MAX_ATTEMPTS,
    )
    with scope.tenant(tenant_id):
        chunk = pending.order_by("number").select_for_update(skip_locked=True, of=("self",)).first()
        if chunk is None:
            return None
        lease = _lease(Chunk, tenant_id, chunk.pk)
        return (lease, chunk) if lease.claim() else None


def pending_chunks() -> QuerySet[Chunk]:
    """For a query over builds: the chunks of each that are not done."""
    return Chunk.objects.filter(build=OuterRef("pk"), status=Chunk.Status.PENDING)


def holding(lease: Lease, *, tenant_id: int, build_id: int) -> AbstractContextManager[Heartbeat]:
    """Renews the lease while the body runs; an error releases it and is noted in the build."""

    def note(error: BaseException) -> None:
        text = quoted(f"{type(error).__name__}: {error}", 500)
        Build.objects.filter(tenant_id=tenant_id, pk=build_id).update(error=text)

    return leases.holding(lease, on_error=note)


def _lease(model: type[Build] | type[Chunk], tenant_id: int, pk: int) -> Lease:
    return Lease(
        row=model.objects.filter(tenant_id=tenant_id, pk=pk),
        seconds=settings.BUILD_LEASE_SECONDS,
        scope=partial(scope.tenant, tenant_id),
        name=f"{model.__name__} {pk}",
    )
