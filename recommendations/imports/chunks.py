"""Import of a file in chunks: each is one transaction of rows, rejections, counts and its end in the file."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any

import msgspec
from django.db import DataError, transaction
from django.db.models import F

from accounts.tenancy import scope
from core.errors import FieldError
from core.leases import Lease
from core.quoting import quoted
from recommendations.catalog.batch_results import RowResult
from recommendations.catalog.models import EndUser
from recommendations.catalog.validators import FieldRefused
from recommendations.erasures import log
from recommendations.imports import summary
from recommendations.imports.formats.files import ImportFile
from recommendations.imports.formats.rows import Line
from recommendations.imports.mapping.row_mapping import RowMapping
from recommendations.imports.metrics import count_rows
from recommendations.imports.models import Import, ImportRowError
from recommendations.imports.read_ahead import read_ahead
from recommendations.imports.row_handlers import ROW_HANDLERS, RowHandler
from recommendations.imports.seen_ids import SeenIds
from recommendations.interactions import event_schema, event_weights, triggers
from recommendations.interactions.low_ratings import RATING

# A chunk ends when it reaches either limit: rows may have a hundred bytes, or a million.
CHUNK_ROWS = 10_000
CHUNK_BYTES = 16 * 1024 * 1024
# All rejected rows are counted, but only the first ones stored.
MAX_STORED_ERRORS = 10_000
# Failed attempts: enough to find a dozen rows among ten thousand.
MAX_FAULTS = 200
_NOT_STORABLE = FieldError("", "not_storable", "The row contains data that cannot be stored.")
_ERASED = FieldError(
    "/user_id",
    "erased_person",
    "This user was erased. Imports restore neither the user nor events from before the erasure; the API may create it.",
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows, their end in the file, and the number of skipped rows among them."""

    lines: Sequence[Line]
    line: int
    read_bytes: int
    skipped: int = 0


class _Row(msgspec.Struct, frozen=True, gc=False):
    number: int
    value: Any
    timed: bool


_Errors = list[tuple[int, tuple[FieldError, ...]]]


def read_chunks(file: ImportFile, plan: RowMapping, *, after: int = 0, seen: SeenIds | None = None) -> Iterator[Chunk]:
    """Yields the rows after a line in chunks of about CHUNK_ROWS or CHUNK_BYTES.

    `seen` collects the ids before that line, for kinds whose rows with the same id are merged. A chunk may be empty, so
    that progress can be saved while many lines are skipped.

    Raises: UnreadableFile.
    """
    lines: list[Line] = []
    began, reported, skipped, passed = file.unpacked, after, 0, 0
    key = ROW_HANDLERS[plan.kind].key if seen is not None else None
    for read in file.rows(after=after if key is None else 0):
        rows = plan.rows(read) if read is not None else []
        if key is not None and seen is not None and file.line <= after:
            seen.add(clear_blanks(rows, key, seen)[1])
            passed += 1
            if passed % CHUNK_ROWS == 0:
                yield Chunk([], after, file.position)
            began = file.unpacked
            continue
        lines += rows
        skipped += read is not None and not rows
        if read is None or len(lines) >= CHUNK_ROWS or file.unpacked - began >= CHUNK_BYTES:
            yield Chunk(lines, file.line, file.position, skipped)
            lines, began, reported, skipped = [], file.unpacked, file.line, 0
    if lines or file.line > reported:
        yield Chunk(lines, file.line, file.position, skipped)


def open_chunks(
    file: ImportFile, plan: RowMapping, *, after: int = 0, seen: SeenIds
) -> AbstractContextManager[Iterator[Chunk]]:
    """The chunks after a line (`read_chunks`), for one pass.

    Chunks of events are read ahead; those of other kinds depend on the ids that the last one has added to `seen`.
    """
    chunks = read_chunks(file, plan, after=after, seen=seen)
    return nullcontext(chunks) if ROW_HANDLERS[plan.kind].key is not None else read_ahead(chunks)


def store_chunk(
    job: Import, chunk: Chunk, *, now: datetime, lease: Lease | None = None, seen: SeenIds | None = None
) -> None:
    """Stores the chunk's valid rows and the errors of the others; a dry run only counts them.

    Empty cells clear their fields, unless an earlier row of the file has the same id (`seen`, which collects this
    chunk's ids): such rows are additions, like variants of a product. A lease is renewed with the chunk.

    Raises: LeaseLost, and nothing is written.
    """
    handler = ROW_HANDLERS[Import.Kind(job.kind)]
    seen = SeenIds() if seen is None else seen
    lines, named = clear_blanks(chunk.lines, handler.key, seen)
    # Rows without a time get the import's, also when it is resumed: the order of a file is not a history.
    rows, rejected, notes = _read_rows(handler, lines, job.created_at)
    with scope.tenant(job.tenant_id):
        log.lock_shared(job.tenant_id)
        rows, erased = _without_erased(job.tenant_id, handler, rows)
        rejected += erased
        first_id = triggers.next_interaction_id() if job.kind == Import.Kind.EVENTS else None
        results = _write(job, handler, rows, now)
        rejected += [
            (row.number, result.errors)
            for row, result in zip(rows, results, strict=True)
            if result.status == "rejected"
        ]
        counts: Counter[str] = Counter(result.status for result in results if result.status != "rejected")
        counts["rejected"] = len(rejected)
        counts["skipped"] = chunk.skipped
        part = summary.summarize_chunk([row.value for row in rows], results, notes)
        total = summary.merge_summaries(job.summary, part, **_event_settings(job))
        _store_errors(job, rejected + [(number, summary.worth_a_line(errors)) for number, errors in notes])
        if counts["created"] and job.unmarked_from is None and not job.dry_run:
            job.unmarked_from = first_id
        _update_counts(job, counts, chunk, lease, total)
    count_rows(job, counts)
    job.summary = total
    seen.add(named)


def _event_settings(job: Import) -> dict[str, Any]:
    """Event types with a weight, and the rating below which an event counts against its item."""
    if job.kind != Import.Kind.EVENTS:
        return {}
    types = event_weights.load_event_weights(tenant_id=job.tenant_id).types
    return {
        "weighted": {*event_weights.DEFAULTS, *(event_type.name for event_type in types if event_type.has_weight)},
        "negative_below": next((each.negative_below for each in types if each.name == RATING), None),
    }


def clear_blanks(lines: Sequence[Line], key: str | None, seen: Container[str]) -> tuple[Sequence[Line], set[str]]:
    """The lines with fields of empty cells cleared, unless an earlier line has the same id; and their ids."""
    named: set[str] = set()
    if key is None:
        return lines, named
    cleared = []
    for line in lines:
        name = line.row.get(key) if line.row is not None else None
        repeated = isinstance(name, str) and (name in named or name in seen)
        cleared.append(line if repeated else line.clearing_blanks())
        if isinstance(name, str):
            named.add(name)
    return cleared, named


def _read_rows(handler: RowHandler, lines: Sequence[Line], now: datetime) -> tuple[list[_Row], _Errors, _Errors]:
    """The valid rows, the errors of rejected ones, and notes on omitted values of valid ones."""
    rows: list[_Row] = []
    rejected: _Errors = []
    notes: _Errors = []
    for line in lines:
        if line.value is not None:
            try:
                event_schema.check_time(line.value.occurred_at, now=now)
            except FieldRefused as error:
                rejected.append((line.number, error.errors))
            else:
                rows.append(_Row(line.number, line.value, timed=True))
            continue
        if line.row is None:
            rejected.append((line.number, line.errors))
            continue
        omitted = list(line.notes)
        try:
            value = handler.read(line.row, now, omitted)
        except FieldRefused as error:
            rejected.append((line.number, error.errors))
        else:
            rows.append(_Row(line.number, value, line.row.get("occurred_at") is not None))
            if omitted:
                notes.append((line.number, tuple(omitted)))
    return rows, rejected, notes


def _without_erased(tenant_id: int, handler: RowHandler, rows: list[_Row]) -> tuple[list[_Row], _Errors]:
    """Rejects rows of users in the erasure log, as files may be older than the erasure.

    Events from after the erasure are kept, and so are rows of users who have returned by themselves.
    """
    if handler.user_id is None:
        return rows, []
    user_id = handler.user_id
    erased = log.erased_among(tenant_id=tenant_id, user_ids={user_id(row.value) for row in rows})
    if not erased:
        return rows, []
    returned = set(
        EndUser.objects.filter(tenant_id=tenant_id, user_id__in=list(erased))
        .order_by()
        .values_list("user_id", flat=True)
    )
    kept = [row for row in rows if not _is_erased(row, user_id(row.value), erased, returned)]
    numbers = {row.number for row in kept}
    return kept, [(row.number, (_ERASED,)) for row in rows if row.number not in numbers]


def _is_erased(row: _Row, user_id: str, erased: Mapping[str, datetime], returned: set[str]) -> bool:
    if user_id not in erased:
        return False
    occurred_at: datetime | None = getattr(row.value, "occurred_at", None)
    if occurred_at is None:
        return user_id not in returned
    return not row.timed or occurred_at <= erased[user_id]


def _write(job: Import, handler: RowHandler, rows: Sequence[_Row], now: datetime) -> list[RowResult]:
    """Writes the rows. A dry run rolls everything back, including callbacks after the commit.

    A row that the database cannot store is found by bisection and rejected alone.

    Raises: DataError if there are many.
    """
    with transaction.atomic():
        results = _bisect(handler, job.tenant_id, rows, now, [0])
        transaction.set_rollback(job.dry_run)
    return results


def _bisect(
    handler: RowHandler, tenant_id: int, rows: Sequence[_Row], now: datetime, faults: list[int]
) -> list[RowResult]:
    try:
        with transaction.atomic():
            return handler.write(tenant_id, [row.value for row in rows], now)
    except DataError:
        faults[0] += 1
        if faults[0] > MAX_FAULTS:
            raise
    if len(rows) == 1:
        return [RowResult("rejected", errors=(_NOT_STORABLE,))]
    middle = len(rows) // 2
    first = _bisect(handler, tenant_id, rows[:middle], now, faults)
    return first + _bisect(handler, tenant_id, rows[middle:], now, faults)


def _update_counts(
    job: Import, counts: Mapping[str, int], chunk: Chunk, lease: Lease | None, total: Mapping[str, Any]
) -> None:
    """Adds to the job's counts, on condition that the lease is still held."""
    changed: dict[str, Any] = {name: F(name) + count for name, count in counts.items()}
    changed |= {"line": chunk.line, "read_bytes": chunk.read_bytes, "summary": total}
    changed["unmarked_from"] = job.unmarked_from
    if lease is not None:
        # A turn that only skips what was imported before has made no progress.
        lease.keep(**changed, **({"attempts": 0} if chunk.line > job.line else {}))
        return
    Import.objects.filter(tenant_id=job.tenant_id, pk=job.pk).update(**changed)


def _store_errors(job: Import, rejected: _Errors) -> None:
    """Stores the errors of a chunk by line, up to MAX_STORED_ERRORS per job."""
    room = (
        MAX_STORED_ERRORS - ImportRowError.objects.filter(tenant_id=job.tenant_id, job=job).count() if rejected else 0
    )
    ImportRowError.objects.bulk_create(
        ImportRowError(
            tenant_id=job.tenant_id,
            job=job,
            line=number,
            field=quoted(error.pointer.removeprefix("/"), 64),
            code=error.code,
            detail=quoted(error.detail, 500),
        )
        for number, error in islice(
            ((number, error) for number, errors in sorted(rejected, key=itemgetter(0)) for error in errors),
            max(0, room),
        )
    )
