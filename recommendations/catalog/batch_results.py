"""What became of each row of a batch, in the words of api.md."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from core.errors import FieldError

if TYPE_CHECKING:
    from recommendations.catalog.upsert import Upserted

Status = Literal["created", "updated", "unchanged", "duplicate", "rejected"]
_MERGED = FieldError(
    "",
    "superseded",
    "A later row names the same id; the two were put together, and the later one holds where both say something.",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row's result. `id` is None where the row has none that can be named.

    `emptied` names the fields that held something before and hold nothing now.
    `row` is the primary key of the stored row that a duplicate repeats, where there was one before the batch.
    """

    status: Status
    id: str | None = None
    errors: tuple[FieldError, ...] = ()
    emptied: tuple[str, ...] = ()
    row: int | None = None


def summary(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many rows ended how."""
    return dict(Counter[str](outcome.status for outcome in outcomes))


def of_upsert(rows: Sequence[Mapping[str, Any]], key: str, result: "Upserted") -> list[Outcome]:
    """One outcome per row; of several rows with one id the last tells what became of all."""
    last = {row[key]: position for position, row in enumerate(rows)}
    return [_outcome(row[key], result, is_last=last[row[key]] == position) for position, row in enumerate(rows)]


def _outcome(name: str, result: "Upserted", *, is_last: bool) -> Outcome:
    if errors := result.refused.get(name):
        return Outcome("rejected", name, errors)
    if not is_last:
        return Outcome("duplicate", name, (_MERGED,))
    written = result.written.get(name)
    if written is None:
        return Outcome("unchanged", name)
    return Outcome("created" if written.created else "updated", name, emptied=result.emptied.get(name, ()))
