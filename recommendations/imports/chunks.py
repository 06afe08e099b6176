"""Import of a file in chunks: each is one transaction of rows, rejections, counts and its end in the file."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from operator import itemgetter
from typing import Any

from django.db import DataError, transaction
from django.db.models import F

from accounts.tenancy import scope
from core.errors import FieldError
from core.leases import Lease
from core.quoting import quoted
from recommendations.catalog.batch_results import RowResult
from recommendations.erasures import log
from recommendations.imports import chunk_rows, summary
from recommendations.imports.chunk_rows import RowErrors
from recommendations.imports.formats.files import ImportFile
from recommendations.imports.formats.rows import Block, Line
from recommendations.imports.mapping.row_mapping import RowMapping
from recommendations.imports.metrics import count_rows
from recommendations.imports.models import Import, ImportRowError
from recommendations.imports.read_ahead import read_ahead
from recommendations.imports.row_handlers import ROW_HANDLERS, RowHandler
from recommendations.imports.seen_ids import SeenIds
from recommendations.interactions import event_weights, triggers
from recommendations.interactions.low_ratings import RATING

# A chunk ends when it reaches either limit: rows may have a hundred bytes, or a million.
CHUNK_ROWS = 10_000
CHUNK_BYTES = 16 * 1024 * 1024
# All rejected rows are counted, but only the first ones stored.
MAX_STORED_ERRORS = 10_000
# Failed attempts: enough to find a dozen rows among ten thousand.
MAX_FAULTS = 200
_NOT_STORABLE = FieldError("", "not_storable", "The row contains data that cannot be stored.")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows, their end in the file, and the number of skipped rows among them."""

    lines: Sequence[Line | Block]
    line: int
    read_bytes: int
    skipped: int = 0


def read_chunks(file: ImportFile, plan: RowMapping, *, after: int = 0, seen: SeenIds | None = None) -> Iterator[Chunk]:
    """Yields the rows after a line in chunks of about CHUNK_ROWS or CHUNK_BYTES.

    `seen` collects the ids before that line, for kinds whose rows with the same id are merged. A chunk may be empty, so
    that progress can be saved while many lines are skipped.

    Raises: UnreadableFile.
    """
    reading = _Reading(file, after)
    passed = 0
    key = ROW_HANDLERS[plan.kind].key if seen is not None else None
    for read in file.rows(after=after if key is None else 0):
        if isinstance(read, Block):
            yield from reading.take_block(read)
            continue
        rows = plan.rows(read) if read is not None else []
        if key is not None and seen is not None and file.line <= after:
            seen.add(clear_blanks(rows, key, seen)[1])
            passed += 1
            if passed % CHUNK_ROWS == 0:
                yield Chunk([], after, file.position)
            reading.began = file.unpacked
            continue
        reading.add(rows, len(rows), end=file.line)
        reading.skipped += read is not None and not rows
        if read is None or reading.is_full():
            yield reading.chunk()
    if reading.lines or file.line > reading.reported:
        reading.add([], 0, end=file.line)
        yield reading.chunk()


class _Reading:
    """The chunk that is being read."""

    def __init__(self, file: ImportFile, after: int) -> None:
        self._file, self._rows, self._end = file, 0, after
        self.lines: list[Line | Block] = []
        self.began, self.reported, self.skipped = file.unpacked, after, 0

    def add(self, lines: Sequence[Line | Block], rows: int, *, end: int) -> None:
        """Adds `rows` rows that end at a line."""
        self.lines += lines
        self._rows, self._end = self._rows + rows, end

    def is_full(self) -> bool:
        """True at either limit."""
        return self._rows >= CHUNK_ROWS or self._file.unpacked - self.began >= CHUNK_BYTES

    def take_block(self, block: Block) -> Iterator[Chunk]:
        """Adds a block, in parts where it does not fit; yields the chunks that are full."""
        count, start = len(block.values), 0
        while start < count:
            stop = min(count, start + max(1, CHUNK_ROWS - self._rows))
            part = block.values if stop - start == count else block.values[start:stop]
            self.add([Block(block.first + start, part)], stop - start, end=block.first + stop - 1)
            start = stop
            if self.is_full():
                yield self.chunk()

    def chunk(self) -> Chunk:
        """The chunk; the next one begins."""
        made = Chunk(self.lines, self._end, self._file.position, self.skipped)
        self.lines, self._rows, self.skipped = [], 0, 0
        self.began, self.reported = self._file.unpacked, self._end
        return made


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
    read = chunk_rows.read_rows(handler, lines, job.created_at)
    with scope.tenant(job.tenant_id):
        log.lock_shared(job.tenant_id)
        rows, erased = chunk_rows.without_erased(job.tenant_id, handler, read.rows)
        rejected = read.rejected + erased
        first_id = triggers.next_interaction_id() if job.kind == Import.Kind.EVENTS else None
        results = _write(job, handler, rows.values, now)
        rejected += [
            (number, result.errors)
            for number, result in zip(rows.numbers, results, strict=True)
            if result.status == "rejected"
        ]
        counts: Counter[str] = Counter(result.status for result in results if result.status != "rejected")
        counts["rejected"] = len(rejected)
        counts["skipped"] = chunk.skipped
        part = summary.summarize_chunk(rows.values, results, read.notes)
        total = summary.merge_summaries(job.summary, part, **_event_settings(job))
        _store_errors(job, rejected + [(number, summary.worth_a_line(errors)) for number, errors in read.notes])
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


def clear_blanks(
    lines: Sequence[Line | Block], key: str | None, seen: Container[str]
) -> tuple[Sequence[Line | Block], set[str]]:
    """The lines with fields of empty cells cleared, unless an earlier line has the same id; and their ids."""
    named: set[str] = set()
    if key is None:
        return lines, named
    cleared: list[Line | Block] = []
    for line in lines:
        if isinstance(line, Block):  # blocks have no empty cells that clear anything
            cleared.append(line)
            continue
        name = line.row.get(key) if line.row is not None else None
        repeated = isinstance(name, str) and (name in named or name in seen)
        cleared.append(line if repeated else line.clearing_blanks())
        if isinstance(name, str):
            named.add(name)
    return cleared, named


def _write(job: Import, handler: RowHandler, values: Any, now: datetime) -> list[RowResult]:
    """Writes the rows. A dry run rolls everything back, including callbacks after the commit.

    A row that the database cannot store is found by bisection and rejected alone.

    Raises: DataError if there are many.
    """
    with transaction.atomic():
        results = _bisect(handler, job.tenant_id, values, now, [0])
        transaction.set_rollback(job.dry_run)
    return results


def _bisect(handler: RowHandler, tenant_id: int, values: Any, now: datetime, faults: list[int]) -> list[RowResult]:
    try:
        with transaction.atomic():
            return handler.write(tenant_id, values, now)
    except DataError:
        faults[0] += 1
        if faults[0] > MAX_FAULTS:
            raise
    if len(values) == 1:
        return [RowResult("rejected", errors=(_NOT_STORABLE,))]
    middle = len(values) // 2
    first = _bisect(handler, tenant_id, values[:middle], now, faults)
    return first + _bisect(handler, tenant_id, values[middle:], now, faults)


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


def _store_errors(job: Import, rejected: RowErrors) -> None:
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
