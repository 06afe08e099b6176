"""A worker's part in an import: chunks from where the last one ended, for a while, then the next message."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import cast

import structlog
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import DataError

from accounts.tenancy import scope
from core.leases import Lease, LeaseLost
from core.queue import enqueue
from core.quoting import quoted
from recommendations.imports import lifecycle
from recommendations.imports.chunks import chunks, take
from recommendations.imports.claims import claim_import
from recommendations.imports.files import ImportFile, UnreadableFile
from recommendations.imports.mapping import Meaning
from recommendations.imports.models import Import
from recommendations.imports.read_options import Form, ReadOptions
from recommendations.imports.row_mapping import Plan
from recommendations.imports.seen_ids import SeenIds
from recommendations.imports.task_names import RUN

# Then others' imports have their turn; far below the time limit of a task.
TURN_SECONDS = 120.0
_log = structlog.get_logger(__name__)


def run_import(*, tenant_id: int, import_id: int, clock: Callable[[], datetime]) -> None:
    """Takes in as much as a turn allows, unless another worker is at it; ends the import or asks for its next turn.

    Whatever goes wrong that is not the file's fault is raised, and the import is tried again behind its last chunk.
    """
    lease = claim_import(tenant_id=tenant_id, import_id=import_id)
    if lease is None:
        return
    with scope.tenant(tenant_id):
        job = Import.objects.get(tenant_id=tenant_id, pk=import_id)
    try:
        why = _worked(job, lease, clock)
        if why is not None:
            status = Import.Status.FAILED if why else Import.Status.DONE
            lifecycle.end(
                tenant_id=tenant_id, import_id=import_id, status=status, now=clock(), error=why, token=lease.token
            )
        else:
            lease.release()
            enqueue(RUN, tenant_id=tenant_id, import_id=import_id)
    except LeaseLost:
        _log.info("import_lease_lost", import_id=import_id)
    except BaseException as error:
        # Also where the end itself could not be noted: the next worker need not wait for the lease to run out.
        lease.release(error=quoted(f"{type(error).__name__}: {error}", 500))
        raise


def _worked(job: Import, lease: Lease, clock: Callable[[], datetime]) -> str | None:
    """Why the file cannot be taken in, "" where all of it is, None where there is more to do."""
    try:
        return "" if _turn(job, lease, clock) else None
    except UnreadableFile as error:
        return str(error)
    except FileNotFoundError:
        return "The file is no longer in the storage."
    except DataError as error:
        return f"The file holds what cannot be stored: {error}"


def _turn(job: Import, lease: Lease, clock: Callable[[], datetime]) -> bool:
    """Whether the file's end was reached.

    Raises: UnreadableFile, LeaseLost, OSError.
    """
    plan = Plan(Import.Kind(job.kind), Meaning.of_json(job.mapping))
    until = time.monotonic() + TURN_SECONDS
    with (
        default_storage.open(job.file, "rb") as stored,
        ImportFile(
            stored,
            size=job.size_bytes,
            known=plan.column_names,
            table=plan.table,
            options=plan.reading(ReadOptions.of_json(job.reading)),
            hint=cast("Form | None", job.format or None),
            max_unpacked=settings.IMPORT_MAX_UNPACKED_BYTES,
        ) as file,
    ):
        if job.format != file.found.form:
            with scope.tenant(job.tenant_id):
                lease.keep(format=file.found.form)
        seen = SeenIds()
        for chunk in chunks(file, plan, after=job.line, seen=seen):
            take(job, chunk, now=clock(), lease=lease, seen=seen)
            # Rows that were taken in before are passed over first, however long that takes.
            if time.monotonic() > until and chunk.line > job.line:
                return False
    return True
