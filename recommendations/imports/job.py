"""Taking a file in from the command line. Good rows are kept, bad ones told; a second run changes nothing."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from accounts import scope
from core.queue import enqueue
from recommendations.imports import lifecycle
from recommendations.imports.chunks import chunks, take
from recommendations.imports.files import ImportFile, UnreadableFile
from recommendations.imports.lifecycle import Wanted
from recommendations.imports.models import Import
from recommendations.imports.plan import Plan
from recommendations.imports.seen import SeenIds
from recommendations.interactions.jobs import PLAN_FIRST

Progress = Callable[[int, int], None]


def run(
    *,
    tenant_id: int,
    wanted: Wanted,
    path: Path,
    clock: Callable[[], datetime],
    progress: Progress,
) -> Import:
    """Imports the file and returns its job, which holds the counts. `progress` is told bytes read and bytes in all.

    Raises: UnreadableFile; what stood before the damage is kept.
    """
    plan, now = Plan(wanted.kind, wanted.meaning), clock()
    with scope.tenant(tenant_id):
        job = Import.objects.create(
            tenant_id=tenant_id,
            kind=wanted.kind,
            filename=path.name[-255:],
            dry_run=wanted.dry_run,
            mapping=wanted.meaning.as_json(),
            reading=wanted.reading.as_json(),
            status=Import.Status.RUNNING,
            created_at=now,
            started_at=now,
        )
    try:
        options = plan.reading(wanted.reading)
        with ImportFile.open(path, known=plan.column_names, table=plan.table, options=options) as file:
            seen = SeenIds()
            for chunk in chunks(file, plan, seen=seen):
                take(job, chunk, now=clock(), seen=seen)
                progress(chunk.read_bytes, file.size)
    except BaseException as error:
        why = str(error) if isinstance(error, UnreadableFile) else f"Stopped by {type(error).__name__}."
        lifecycle.end(tenant_id=tenant_id, import_id=job.pk, status=Import.Status.FAILED, now=clock(), error=why)
        raise
    lifecycle.end(tenant_id=tenant_id, import_id=job.pk, status=Import.Status.DONE, now=clock())
    with scope.tenant(tenant_id):
        return Import.objects.get(tenant_id=tenant_id, pk=job.pk)


def plan_first_build(tenant_id: int) -> None:
    """Asks for the tenant's first build; nothing comes of it where there is one."""
    enqueue(PLAN_FIRST, tenant_id=tenant_id)
