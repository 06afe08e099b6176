"""Import in workers: chunks from the end of the last one, for one turn, then the next message."""

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
from recommendations.imports import lifecycle, marking
from recommendations.imports.chunks import open_chunks, store_chunk
from recommendations.imports.claims import claim_import
from recommendations.imports.formats.files import ImportFile, UnreadableFile
from recommendations.imports.formats.read_options import Form, ReadOptions
from recommendations.imports.mapping.column_mapping import ColumnMapping
from recommendations.imports.mapping.row_mapping import RowMapping
from recommendations.imports.models import Import
from recommendations.imports.seen_ids import SeenIds
from recommendations.imports.task_names import RUN

# Then other imports get their turn; far below the time limit of a task.
TURN_SECONDS = 120.0
_log = structlog.get_logger(__name__)


def run_import(*, tenant_id: int, import_id: int, clock: Callable[[], datetime]) -> None:
    """Imports as much as a turn allows, unless another worker holds it; ends the import or enqueues its next turn.

    Errors that are not the file's fault are raised, and the import is retried after its last chunk.
    """
    lease = claim_import(tenant_id=tenant_id, import_id=import_id)
    if lease is None:
        return
    with scope.tenant(tenant_id):
        job = Import.objects.get(tenant_id=tenant_id, pk=import_id)
    try:
        reason = _work(job, lease, clock)
        marking.mark_users(tenant_id=tenant_id, import_id=import_id, now=clock(), lease=lease)
        if reason is not None:
            status = Import.Status.FAILED if reason else Import.Status.DONE
            lifecycle.end_import(
                tenant_id=tenant_id, import_id=import_id, status=status, now=clock(), error=reason, token=lease.token
            )
        else:
            lease.release()
            enqueue(RUN, tenant_id=tenant_id, import_id=import_id)
    except LeaseLost:
        _log.info("import_lease_lost", import_id=import_id)
    except BaseException as error:
        # Also if the end could not be stored: the next worker need not wait for the lease to expire.
        lease.release(error=quoted(f"{type(error).__name__}: {error}", 500))
        raise


def _work(job: Import, lease: Lease, clock: Callable[[], datetime]) -> str | None:
    """The reason why the file cannot be imported, "" if it is finished, None if there is more to do."""
    try:
        return "" if _turn(job, lease, clock) else None
    except UnreadableFile as error:
        return str(error)
    except FileNotFoundError:
        return "The file is no longer in the storage."
    except DataError as error:
        return f"The file contains data that cannot be stored: {error}"


def _turn(job: Import, lease: Lease, clock: Callable[[], datetime]) -> bool:
    """Imports chunks for one turn; True at the end of the file.

    Raises: UnreadableFile, LeaseLost, OSError.
    """
    plan = RowMapping(Import.Kind(job.kind), ColumnMapping.from_json(job.mapping))
    until = time.monotonic() + TURN_SECONDS
    with (
        default_storage.open(job.file, "rb") as stored,
        ImportFile(
            stored,
            size=job.size_bytes,
            known=plan.column_names,
            table=plan.checked_table,
            blocks=plan.block_table,
            options=plan.read_options(ReadOptions.from_json(job.reading)),
            hint=cast("Form | None", job.format or None),
            max_unpacked=settings.IMPORT_MAX_UNPACKED_BYTES,
        ) as file,
    ):
        if job.format != file.detected.form:
            with scope.tenant(job.tenant_id):
                lease.keep(format=file.detected.form)
        seen = SeenIds()
        with open_chunks(file, plan, after=job.line, seen=seen) as chunks:
            for chunk in chunks:
                store_chunk(job, chunk, now=clock(), lease=lease, seen=seen)
                # Rows that were imported before are skipped first, however long that takes.
                if time.monotonic() > until and chunk.line > job.line:
                    return False
    return True
