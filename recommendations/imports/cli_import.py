"""Taking a file in from the command line. Good rows are kept, bad ones told; a second run changes nothing."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from accounts.tenancy import scope
from core.leases import Lease, LeaseLost
from core.queue import enqueue
from core.quoting import quoted
from recommendations.imports import lifecycle, marking
from recommendations.imports.chunks import open_chunks, store_chunk
from recommendations.imports.claims import lease_on
from recommendations.imports.formats.files import ImportFile, UnreadableFile
from recommendations.imports.lifecycle import ImportOptions
from recommendations.imports.mapping.row_mapping import RowMapping
from recommendations.imports.models import Import
from recommendations.imports.seen_ids import SeenIds
from recommendations.interactions.task_names import PLAN_FIRST

Progress = Callable[[int, int], None]


def run(
    *,
    tenant_id: int,
    wanted: ImportOptions,
    path: Path,
    clock: Callable[[], datetime],
    progress: Progress,
) -> Import:
    """Imports the file and returns its job, which holds the counts. `progress` is told bytes read and bytes in all.

    A file that is none of those that are read makes no job. The job ends whatever happens; one whose command is killed
    is ended by others once its lease has run out. Its status is failed where no row was kept and some were refused.

    Raises: UnreadableFile; what stood before the damage is kept. LeaseLost where the job was ended by others.
    """
    plan = RowMapping(wanted.kind, wanted.meaning)
    read_options = plan.read_options(wanted.reading)
    with ImportFile.open(
        path, known=plan.column_names, table=plan.checked_table, blocks=plan.block_table, options=read_options
    ) as file:
        job, lease = _begin(tenant_id, wanted, path, clock())
        try:
            seen = SeenIds()
            with open_chunks(file, plan, seen=seen) as chunks:
                for chunk in chunks:
                    store_chunk(job, chunk, now=clock(), lease=lease, seen=seen)
                    progress(chunk.read_bytes, file.size)
        except LeaseLost:
            raise
        except BaseException as error:
            why = str(error) if isinstance(error, UnreadableFile) else f"Stopped by {type(error).__name__}."
            _end(job, lease, Import.Status.FAILED, clock(), why)
            raise
    _end(job, lease, Import.Status.DONE, clock())
    with scope.tenant(tenant_id):
        return Import.objects.get(tenant_id=tenant_id, pk=job.pk)


def _begin(tenant_id: int, wanted: ImportOptions, path: Path, now: datetime) -> tuple[Import, Lease]:
    with scope.tenant(tenant_id):
        job = Import.objects.create(
            tenant_id=tenant_id,
            kind=wanted.kind,
            filename=quoted(path.name[-255:], 255),
            dry_run=wanted.dry_run,
            mapping=wanted.meaning.as_json(),
            reading=wanted.reading.as_json(),
            status=Import.Status.RUNNING,
            created_at=now,
            started_at=now,
        )
        lease = lease_on(tenant_id=tenant_id, import_id=job.pk)
        lease.claim()
    return job, lease


def _end(job: Import, lease: Lease, status: Import.Status, now: datetime, error: str = "") -> None:
    marking.mark_users(tenant_id=job.tenant_id, import_id=job.pk, now=now, lease=lease)
    lifecycle.end_import(
        tenant_id=job.tenant_id, import_id=job.pk, status=status, now=now, error=error, token=lease.token
    )


def plan_first_build(tenant_id: int) -> None:
    """Asks for the tenant's first build; nothing comes of it where there is one."""
    enqueue(PLAN_FIRST, tenant_id=tenant_id)
