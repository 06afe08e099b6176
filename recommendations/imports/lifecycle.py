"""Lifecycle of imports: accept, cancel, resume, end."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.tenancy import scope
from accounts.tenancy.retention_periods import retention_periods
from core import leases
from core.errors import Conflict, NotFound
from core.leases import MAX_ATTEMPTS
from core.queue import enqueue
from core.quoting import quoted
from core.webhooks.publish import emit
from recommendations.imports import marking, rejections, storage_quota
from recommendations.imports.formats.read_options import AS_FOUND, ReadOptions
from recommendations.imports.mapping.column_mapping import AS_NAMED, ColumnMapping
from recommendations.imports.models import Import
from recommendations.imports.task_names import RUN
from recommendations.imports.uploads import Upload
from recommendations.interactions.task_names import PLAN_FIRST

# Imports of commands without a lease.
ABANDONED_AFTER = timedelta(days=2)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The options of an import."""

    kind: Import.Kind
    filename: str = ""
    dry_run: bool = False
    meaning: ColumnMapping = AS_NAMED
    reading: ReadOptions = AS_FOUND


class ImportEnded(Conflict):
    """The import has ended, so it cannot be cancelled."""

    title = "The import has ended"


def accept_upload(*, tenant_id: int, options: ImportOptions, upload: Upload, now: datetime) -> Import:
    """Creates an import of a spooled file, and enqueues it after the commit.

    Raises: TooManyImports, StorageQuotaExceeded.
    """
    with scope.tenant(tenant_id):
        # One at a time, so that of two concurrent uploads the second sees the first.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [0x494D5054, tenant_id % 2**31])
        storage_quota.check_quota(tenant_id=tenant_id, size=upload.size)
        job = Import.objects.create(
            tenant_id=tenant_id,
            kind=options.kind,
            format=upload.format,
            filename=quoted(options.filename, 255),
            file=upload.file,
            size_bytes=upload.size,
            dry_run=options.dry_run,
            mapping=options.meaning.as_json(),
            reading=replace(options.reading, encoding=options.reading.encoding or upload.encoding).as_json(),
            status=Import.Status.WAITING,
            created_at=now,
            enqueued_at=now,
        )
        enqueue(RUN, tenant_id=tenant_id, import_id=job.pk)
    return job


def cancel_import(*, tenant_id: int, import_id: int, now: datetime) -> Import:
    """Cancels the import: imported rows stay, a running chunk is rolled back. Idempotent.

    Raises: NotFound, ImportEnded.
    """
    ended = end_import(tenant_id=tenant_id, import_id=import_id, status=Import.Status.CANCELLED, now=now)
    with scope.tenant(tenant_id):
        job = Import.objects.filter(tenant_id=tenant_id, pk=import_id).exclude(format="").first()
    if job is None:
        raise NotFound("Unknown import.")
    if not ended and job.status != Import.Status.CANCELLED:
        raise ImportEnded(f"The import is {job.status} already, so it cannot be cancelled.")
    return job


def end_import(
    *,
    tenant_id: int,
    import_id: int,
    status: Import.Status,
    now: datetime,
    error: str = "",
    token: uuid.UUID | None = None,
) -> bool:
    """Ends an import, and emits its webhook in the same transaction.

    Returns:
        False if it has ended before, or `token` no longer holds it.
    """
    with scope.tenant(tenant_id):
        unfinished = Import.objects.filter(tenant_id=tenant_id, pk=import_id, status__in=Import.OPEN)
        if token is not None:
            unfinished = unfinished.filter(lease_token=token)
        if status == Import.Status.DONE and (failure := _all_rejected(unfinished.first())):
            status, error = Import.Status.FAILED, failure
        ended = unfinished.update(
            status=status, finished_at=now, error=quoted(error, 2000), lease_token=None, lease_until=None, attempts=0
        )
        if not ended:
            return False
        job = Import.objects.get(tenant_id=tenant_id, pk=import_id)
        if job.kind == Import.Kind.EVENTS and job.created and not job.dry_run and job.file:
            enqueue(PLAN_FIRST, tenant_id=tenant_id)
        emit(tenant_id=tenant_id, type="import.done", data=_webhook_data(job), now=now)
        transaction.on_commit(lambda: _delete_file_unless_retained(job))
    _log.info("import_ended", import_id=import_id, status=status)
    return True


def _all_rejected(job: Import | None) -> str:
    """The reason why an import failed that was read to its end, but stored no row."""
    if job is None or not job.rejected or any(getattr(job, name) for name in Import.COUNTS if name != "rejected"):
        return ""
    (first, *_) = [*rejections.group_rejections(job, limit=1), None]
    most = f" Most frequent error: {first.field or 'the row'}: {first.detail} (line {first.lines[0]})" if first else ""
    rejected = "the only row was rejected" if job.rejected == 1 else f"all {job.rejected:,} rows were rejected"
    return f"No row was stored: {rejected}.{most}"


def _webhook_data(job: Import) -> dict[str, Any]:
    counts = {name: getattr(job, name) for name in Import.COUNTS}
    return {"import": job.pk, "kind": job.kind, "status": job.status, "dry_run": job.dry_run, **counts}


def resume_imports(*, now: datetime) -> int:
    """Re-enqueues stalled imports, ends those that make no progress, and marks users that ended ones have left.

    Returns the number of imports handled.
    """
    with scope.all_tenants("resume imports"):
        waiting = Import.objects.filter(leases.free(), status__in=Import.OPEN).exclude(file="")
        found = list(waiting.order_by("pk").values_list("tenant_id", "pk"))
    resumed = sum(_resume(tenant_id, pk, now) for tenant_id, pk in found) + _end_abandoned(now)
    return resumed + marking.mark_left(now=now)


def _end_abandoned(now: datetime) -> int:
    """Ends imports whose command was killed: no worker has their files."""
    with scope.all_tenants("end imports of commands that are gone"):
        gone = Q(lease_until__lt=Now()) | Q(lease_until__isnull=True, created_at__lt=now - ABANDONED_AFTER)
        found = list(
            Import.objects.filter(gone, status__in=Import.OPEN, file="").order_by("pk").values_list("tenant_id", "pk")
        )
    why = "The import command was killed. Run it again; rows that were imported stay."
    failed = Import.Status.FAILED
    return sum(end_import(tenant_id=tenant, import_id=pk, status=failed, now=now, error=why) for tenant, pk in found)


def _resume(tenant_id: int, pk: int, now: datetime) -> bool:
    with scope.tenant(tenant_id):
        free = Import.objects.select_for_update(skip_locked=True).filter(
            leases.free(), tenant_id=tenant_id, pk=pk, status__in=Import.OPEN
        )
        job = free.first()
        if job is None:
            return False
        if job.attempts < MAX_ATTEMPTS:
            abandoned = job.lease_until is not None
            if not abandoned and not leases.is_overdue(enqueued_at=job.enqueued_at, started_at=job.created_at, now=now):
                return False
            Import.objects.filter(tenant_id=tenant_id, pk=pk).update(
                enqueued_at=now, lease_until=None, lease_token=None
            )
            enqueue(RUN, tenant_id=tenant_id, import_id=pk)
            return True
    why = leases.exhausted("The import", job.error)
    return end_import(tenant_id=tenant_id, import_id=pk, status=Import.Status.FAILED, now=now, error=why)


def _delete_file_unless_retained(job: Import) -> None:
    """Deletes the file, unless the tenant retains import files."""
    if job.file and (job.names_erased or not retention_periods(job.tenant_id).import_files):
        try_to_delete(job)


def try_to_delete(job: Import) -> None:
    """Deletes the import's file from the storage, then from its row. Call it outside any scope."""
    try:
        default_storage.delete(job.file)
    except Exception as error:  # noqa: BLE001  # storages raise anything; retention retries it
        _log.warning("import_file_not_deleted", import_id=job.pk, error=str(error))
        return
    with scope.tenant(job.tenant_id):
        Import.objects.filter(tenant_id=job.tenant_id, pk=job.pk).update(file="")
