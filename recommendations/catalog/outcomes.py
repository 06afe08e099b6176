"""What became of each row of a batch, in the words of api.md."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import FieldError

Status = Literal["created", "updated", "unchanged", "duplicate", "rejected"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row's result. `id` is None where the row has none that can be named."""

    status: Status
    id: str | None = None
    errors: tuple[FieldError, ...] = ()


def summary(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many rows ended how."""
    return dict(Counter[str](outcome.status for outcome in outcomes))


def last_of_each(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, int]:
    """The position of the last row of each key: within a batch the later row holds."""
    return {row[key]: position for position, row in enumerate(rows)}


def of_upsert(rows: Sequence[Mapping[str, Any]], key: str, written: Mapping[str, bool]) -> list[Outcome]:
    """One outcome per row. `written` holds the keys that changed, and whether they are new."""
    last = last_of_each(rows, key)
    outcomes: list[Outcome] = []
    for position, row in enumerate(rows):
        name = row[key]
        if last[name] != position:
            detail = "A later row of the batch names the same id and holds."
            outcomes.append(Outcome("duplicate", name, (FieldError("", "superseded", detail),)))
        elif name not in written:
            outcomes.append(Outcome("unchanged", name))
        else:
            outcomes.append(Outcome("created" if written[name] else "updated", name))
    return outcomes
