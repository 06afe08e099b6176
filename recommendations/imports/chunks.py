"""Taking a file in, chunk by chunk: each is one transaction of rows, refusals, counts and the place where it ends."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
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
from recommendations.catalog.batch_results import Outcome
from recommendations.catalog.models import EndUser
from recommendations.catalog.validators import FieldRefused
from recommendations.erasures import log
from recommendations.imports import summary
from recommendations.imports.files import ImportFile
from recommendations.imports.models import Import, ImportRowError
from recommendations.imports.row_handlers import READERS, Reader
from recommendations.imports.row_mapping import Plan
from recommendations.imports.rows import Line
from recommendations.imports.seen_ids import SeenIds
from recommendations.interactions import event_weights
from recommendations.interactions.low_ratings import RATING

# A chunk ends with the first of the two that is reached: rows may be a hundred bytes long, or a million.
CHUNK_ROWS = 10_000
CHUNK_BYTES = 16 * 1024 * 1024
# Every refused row is counted; of a file that is wrong from top to bottom the first ones tell enough.
MAX_STORED_ERRORS = 10_000
# Each is a try that failed: enough to find a dozen rows among ten thousand.
MAX_FAULTS = 200
_NOT_STORABLE = FieldError("", "not_storable", "The row holds something that cannot be stored.")
_ERASED = FieldError(
    "/user_id",
    "erased_person",
    "This person was erased. An import brings back neither them nor what they did before; the API may create them.",
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows, where in the file they end, and how many others were about nothing that is stored."""

    lines: Sequence[Line]
    line: int
    read_bytes: int
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    value: Any
    timed: bool


_Refused = list[tuple[int, tuple[FieldError, ...]]]


def chunks(file: ImportFile, plan: Plan, *, after: int = 0, seen: SeenIds | None = None) -> Iterator[Chunk]:
    """The file's rows in parts of about CHUNK_ROWS and CHUNK_BYTES, from behind a line.

    `seen` learns the ids before that line, of kinds where rows with one id are put together. Where much is read without
    a new row, a part may have none: reading goes on.

    Raises: UnreadableFile.
    """
    lines: list[Line] = []
    began, told, skipped, passed = file.unpacked, after, 0, 0
    key = READERS[plan.kind].key if seen is not None else None
    for read in file.rows(after=after if key is None else 0):
        rows = plan.rows(read) if read is not None else []
        if key is not None and seen is not None and file.line <= after:
            seen.add(with_blanks(rows, key, seen)[1])
            passed += 1
            if passed % CHUNK_ROWS == 0:
                yield Chunk([], after, file.position)
            began = file.unpacked
            continue
        lines += rows
        skipped += read is not None and not rows
        if read is None or len(lines) >= CHUNK_ROWS or file.unpacked - began >= CHUNK_BYTES:
            yield Chunk(lines, file.line, file.position, skipped)
            lines, began, told, skipped = [], file.unpacked, file.line, 0
    if lines or file.line > told:
        yield Chunk(lines, file.line, file.position, skipped)


def take(job: Import, chunk: Chunk, *, now: datetime, lease: Lease | None = None, seen: SeenIds | None = None) -> None:
    """Writes the chunk's good rows and notes the others; a dry run only says what would become of them.

    An empty cell empties its field, but not where an earlier row of the file names the same id (`seen`, which learns
    this chunk's ids): such rows say more of the same, as further variants of a product do.
    With a lease: only while it is held, and it is prolonged. Raises: LeaseLost, and nothing is written.
    """
    reader = READERS[Import.Kind(job.kind)]
    seen = SeenIds() if seen is None else seen
    lines, named = with_blanks(chunk.lines, reader.key, seen)
    # Rows without a time have the import's, wherever it was cut or resumed: the order of a file is no history.
    rows, refused, notes = _read(reader, lines, job.created_at)
    with scope.tenant(job.tenant_id):
        log.share(job.tenant_id)
        rows, erased = _without_erased(job.tenant_id, reader, rows)
        refused += erased
        outcomes = _written(job, reader, rows, now)
        refused += [
            (row.number, outcome.errors)
            for row, outcome in zip(rows, outcomes, strict=True)
            if outcome.status == "rejected"
        ]
        counts: Counter[str] = Counter(outcome.status for outcome in outcomes if outcome.status != "rejected")
        counts["rejected"] = len(refused)
        counts["skipped"] = chunk.skipped
        part = summary.of_chunk([row.value for row in rows], outcomes, notes)
        told = summary.added(job.summary, part, **_meaning(job))
        _note(job, refused + [(number, summary.worth_a_line(errors)) for number, errors in notes])
        _count(job, counts, chunk, lease, told)
    job.summary = told
    seen.add(named)


def _meaning(job: Import) -> dict[str, Any]:
    """The types of events whose meaning is known, and below which rating one counts against its item."""
    if job.kind != Import.Kind.EVENTS:
        return {}
    types = event_weights.of_tenant(tenant_id=job.tenant_id).types
    return {
        "weighted": {*event_weights.DEFAULTS, *(each.name for each in types if each.mapped)},
        "negative_below": next((each.negative_below for each in types if each.name == RATING), None),
    }


def with_blanks(lines: Sequence[Line], key: str | None, seen: Container[str]) -> tuple[Sequence[Line], set[str]]:
    """The lines, whose empty cells empty their fields unless an earlier line named the id; and the ids they name."""
    named: set[str] = set()
    if key is None:
        return lines, named
    found = []
    for line in lines:
        name = line.row.get(key) if line.row is not None else None
        repeated = isinstance(name, str) and (name in named or name in seen)
        found.append(line if repeated else line.emptying())
        if isinstance(name, str):
            named.add(name)
    return found, named


def _read(reader: Reader, lines: Sequence[Line], now: datetime) -> tuple[list[_Row], _Refused, _Refused]:
    """The good rows, those that are refused, and what was left out of good ones."""
    rows: list[_Row] = []
    refused: _Refused = []
    notes: _Refused = []
    for line in lines:
        if line.row is None:
            refused.append((line.number, line.errors))
            continue
        left_out = list(line.notes)
        try:
            value = reader.read(line.row, now, left_out)
        except FieldRefused as error:
            refused.append((line.number, error.errors))
        else:
            rows.append(_Row(line.number, value, line.row.get("occurred_at") is not None))
            if left_out:
                notes.append((line.number, tuple(left_out)))
    return rows, refused, notes


def _without_erased(tenant_id: int, reader: Reader, rows: list[_Row]) -> tuple[list[_Row], _Refused]:
    """Leaves out whom the log of erasures knows: a file is older than what its rows say of their time.

    An event stays that happened after the erasure. A person's row stays where they have come back by themselves.
    """
    if reader.person is None:
        return rows, []
    of = reader.person
    erased = log.erased_among(tenant_id=tenant_id, user_ids={of(row.value) for row in rows})
    if not erased:
        return rows, []
    back = set(
        EndUser.objects.filter(tenant_id=tenant_id, user_id__in=list(erased))
        .order_by()
        .values_list("user_id", flat=True)
    )
    kept = [row for row in rows if not _is_erased(row, of(row.value), erased, back)]
    numbers = {row.number for row in kept}
    return kept, [(row.number, (_ERASED,)) for row in rows if row.number not in numbers]


def _is_erased(row: _Row, user_id: str, erased: Mapping[str, datetime], back: set[str]) -> bool:
    if user_id not in erased:
        return False
    occurred_at: datetime | None = getattr(row.value, "occurred_at", None)
    if occurred_at is None:
        return user_id not in back
    return not row.timed or occurred_at <= erased[user_id]


def _written(job: Import, reader: Reader, rows: Sequence[_Row], now: datetime) -> list[Outcome]:
    """What became of the rows. A dry run takes all of it back: what was to follow the commit as well.

    A row that the database cannot hold is looked for by halves, and costs itself alone.
    Raises: DataError where they are many.
    """
    with transaction.atomic():
        outcomes = _stored(reader, job.tenant_id, rows, now, [0])
        transaction.set_rollback(job.dry_run)
    return outcomes


def _stored(reader: Reader, tenant_id: int, rows: Sequence[_Row], now: datetime, faults: list[int]) -> list[Outcome]:
    try:
        with transaction.atomic():
            return reader.write(tenant_id, [row.value for row in rows], now)
    except DataError:
        faults[0] += 1
        if faults[0] > MAX_FAULTS:
            raise
    if len(rows) == 1:
        return [Outcome("rejected", errors=(_NOT_STORABLE,))]
    middle = len(rows) // 2
    first = _stored(reader, tenant_id, rows[:middle], now, faults)
    return first + _stored(reader, tenant_id, rows[middle:], now, faults)


def _count(job: Import, counts: Mapping[str, int], chunk: Chunk, lease: Lease | None, told: Mapping[str, Any]) -> None:
    """Adds to the job's row, on condition that it is still ours to add to."""
    changed: dict[str, Any] = {name: F(name) + count for name, count in counts.items()}
    changed |= {"line": chunk.line, "read_bytes": chunk.read_bytes, "summary": told}
    if lease is not None:
        # A turn that only passes over what was taken in before has not got on.
        lease.keep(**changed, **({"attempts": 0} if chunk.line > job.line else {}))
        return
    Import.objects.filter(tenant_id=job.tenant_id, pk=job.pk).update(**changed)


def _note(job: Import, refused: _Refused) -> None:
    """Stores the refusals of a chunk, in the order of their lines, as far as there is room."""
    room = MAX_STORED_ERRORS - ImportRowError.objects.filter(tenant_id=job.tenant_id, job=job).count() if refused else 0
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
            ((number, error) for number, errors in sorted(refused, key=itemgetter(0)) for error in errors), max(0, room)
        )
    )
