"""Results of the rows of a batch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.errors import FieldError

if TYPE_CHECKING:
    from recommendations.catalog.upsert import UpsertResult

Status = Literal["created", "updated", "unchanged", "duplicate", "rejected"]
_SUPERSEDED = FieldError(
    "",
    "superseded",
    "A later row has the same id; the rows were merged, and fields of the later row take precedence.",
)


@dataclass(frozen=True, slots=True)
class RowResult:
    """The result of one row. `id` is None if the row has no valid id.

    `emptied` names the fields that had a value before and have none now. `row` is the primary key of the stored row
    that a duplicate repeats, if it was stored before the batch.
    """

    status: Status
    id: str | None = None
    errors: tuple[FieldError, ...] = ()
    emptied: tuple[str, ...] = ()
    row: int | None = None


def count_by_status(results: Sequence[RowResult]) -> dict[str, int]:
    """The number of rows by status; statuses without rows are missing."""
    return dict(Counter[str](result.status for result in results))


def upsert_results(rows: Sequence[Mapping[str, Any]], key: str, result: "UpsertResult") -> list[RowResult]:
    """One result per row; of several rows with the same id, the last carries the result of all."""
    last = {row[key]: position for position, row in enumerate(rows)}
    return [_row_result(row[key], result, is_last=last[row[key]] == position) for position, row in enumerate(rows)]


def _row_result(name: str, result: "UpsertResult", *, is_last: bool) -> RowResult:
    if errors := result.rejected.get(name):
        return RowResult("rejected", name, errors)
    if not is_last:
        return RowResult("duplicate", name, (_SUPERSEDED,))
    written = result.written.get(name)
    if written is None:
        return RowResult("unchanged", name)
    return RowResult("created" if written.created else "updated", name, emptied=result.emptied.get(name, ()))
