"""Taking a file in, chunk by chunk. Good rows are kept, bad ones counted and told; a second run changes nothing.

Each chunk is one transaction: its rows, its refusals and the job's counts.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from accounts import scope
from core.errors import FieldError
from core.queue import enqueue
from recommendations.catalog import end_users, items, shapes
from recommendations.catalog.fields import FieldRefused
from recommendations.catalog.outcomes import Outcome
from recommendations.imports.files import ImportFile, UnreadableFile
from recommendations.imports.models import Import, ImportRowError
from recommendations.imports.rows import Line
from recommendations.interactions import event
from recommendations.interactions.jobs import PLAN_FIRST
from recommendations.interactions.record import record

CHUNK_ROWS = 10_000
# Every refused row is counted; of a file that is wrong from top to bottom the first ones tell enough.
MAX_STORED_ERRORS = 10_000
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Reader:
    """How a kind of file is read and written."""

    columns: tuple[str, ...]
    required: tuple[str, ...]
    read: Callable[[Any, datetime], Any]
    write: Callable[[int, Sequence[Any], datetime], list[Outcome]]


READERS = {
    Import.Kind.ITEMS: Reader(
        columns=tuple(shapes.ITEM.readers),
        required=("item_id",),
        read=lambda row, _now: shapes.read_item(row),
        write=lambda tenant_id, rows, now: items.upsert_items(tenant_id=tenant_id, items=rows, now=now),
    ),
    Import.Kind.USERS: Reader(
        columns=tuple(shapes.END_USER.readers),
        required=("user_id",),
        read=lambda row, _now: shapes.read_end_user(row),
        write=lambda tenant_id, rows, now: end_users.upsert_end_users(tenant_id=tenant_id, end_users=rows, now=now),
    ),
    Import.Kind.EVENTS: Reader(
        columns=tuple(event.SHAPE.readers),
        required=("user_id", "item_id", "type"),
        read=lambda row, now: event.read_event(row, now=now),
        write=lambda tenant_id, rows, now: record(tenant_id=tenant_id, events=rows, now=now, plan_first_build=False),
    ),
}


def run(*, tenant_id: int, kind: Import.Kind, path: Path, clock: Callable[[], datetime], progress: Progress) -> Import:
    """Imports the file and returns its job, which holds the counts. `progress` is told bytes read and bytes in all.

    Raises: UnreadableFile; what stood before the damage is kept.
    """
    reader = READERS[kind]
    with scope.tenant(tenant_id):
        job = Import.objects.create(tenant_id=tenant_id, kind=kind, filename=path.name[-255:], started_at=clock())
    try:
        with ImportFile(path, columns=reader.columns, required=reader.required) as file:
            for chunk in _chunks(file):
                _take(job, reader, chunk, clock())
                progress(file.position, file.size)
    except BaseException as error:
        why = str(error) if isinstance(error, UnreadableFile) else f"Stopped by {type(error).__name__}."
        _finish(job, Import.Status.FAILED, clock(), why)
        raise
    _finish(job, Import.Status.DONE, clock())
    return job


def plan_first_build(tenant_id: int) -> None:
    """Asks for the tenant's first build; nothing comes of it where there is one."""
    enqueue(PLAN_FIRST, tenant_id=tenant_id)


def _chunks(file: Iterable[Line]) -> Iterator[list[Line]]:
    lines = iter(file)
    while chunk := list(islice(lines, CHUNK_ROWS)):
        yield chunk


def _take(job: Import, reader: Reader, chunk: Sequence[Line], now: datetime) -> None:
    good: list[tuple[int, Any]] = []
    refused: list[tuple[int, tuple[FieldError, ...]]] = []
    for line in chunk:
        if line.row is None:
            refused.append((line.number, line.errors))
            continue
        try:
            good.append((line.number, reader.read(line.row, now)))
        except FieldRefused as error:
            refused.append((line.number, error.errors))
    with scope.tenant(job.tenant_id):
        outcomes = reader.write(job.tenant_id, [row for _, row in good], now)
        for (number, _), outcome in zip(good, outcomes, strict=True):
            if outcome.status == "rejected":
                refused.append((number, outcome.errors))
        counts: Counter[str] = Counter(outcome.status for outcome in outcomes if outcome.status != "rejected")
        counts["rejected"] = len(refused)
        _note(job, refused)
        for status, count in counts.items():
            setattr(job, status, getattr(job, status) + count)
        job.save(update_fields=list(counts))


def _note(job: Import, refused: Sequence[tuple[int, tuple[FieldError, ...]]]) -> None:
    """Stores the refusals of a chunk, in the order of their lines, as far as there is room."""
    room = MAX_STORED_ERRORS - ImportRowError.objects.filter(tenant_id=job.tenant_id, job=job).count() if refused else 0
    ImportRowError.objects.bulk_create(
        ImportRowError(
            tenant_id=job.tenant_id,
            job=job,
            line=number,
            field=error.pointer.removeprefix("/")[:64],
            code=error.code,
            detail=error.detail[:500],
        )
        for number, error in islice(
            ((number, error) for number, errors in sorted(refused, key=itemgetter(0)) for error in errors), max(0, room)
        )
    )


def _finish(job: Import, status: Import.Status, now: datetime, error: str = "") -> None:
    job.status, job.finished_at, job.error = status, now, error
    with scope.tenant(job.tenant_id):
        job.save(update_fields=["status", "finished_at", "error"])
