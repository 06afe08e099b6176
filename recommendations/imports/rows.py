"""Single rows of import files: from a line of NDJSON or the cells of a CSV record to what JSON would give."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import FieldError

_LISTS = frozenset({"categories", "segments"})
_OBJECTS = frozenset({"attributes", "context"})
# Without one of these a row says nothing: an empty cell is as good as none.
_REQUIRED = frozenset({"item_id", "user_id", "type"})
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Line:
    """A row and the line at which it begins: `row` is as JSON would give it, or None with what was wrong.

    `blank` names the fields whose cells are empty, and which `row` does not have.
    """

    number: int
    row: Mapping[str, Any] | None
    errors: tuple[FieldError, ...] = ()
    blank: frozenset[str] = frozenset()

    def emptying(self) -> "Line":
        """The same, where the empty cells empty their fields."""
        if self.row is None or not self.blank:
            return self
        return Line(self.number, {**self.row, **dict.fromkeys(self.blank)}, self.errors, self.blank)


@dataclass(frozen=True, slots=True)
class Record:
    """A CSV record as it stands."""

    number: int
    cells: list[str]


def too_long(number: int, limit: int) -> Line:
    """A line that was not looked at."""
    return Line(number, None, (FieldError("", "line_too_long", f"The line is longer than {limit} bytes."),))


def json_row(number: int, text: bytes) -> Line:
    """A line of NDJSON."""
    try:
        row = json.loads(text)
    except RecursionError:
        return Line(number, None, (FieldError("", "bad_json", "The row is nested too deeply."),))
    except ValueError as error:
        return Line(number, None, (FieldError("", "bad_json", f"Not JSON: {error}"[:400]),))
    if not isinstance(row, dict):
        return Line(number, None, (FieldError("", "not_an_object", "Each line must be a JSON object."),))
    return Line(number, row)


def csv_row(record: Record, names: list[str]) -> Line:
    """Cells as JSON would give them; an empty one is not given, and noted as blank."""
    if len(record.cells) != len(names):
        detail = f"{len(record.cells)} cells where the header names {len(names)} columns."
        return Line(record.number, None, (FieldError("", "bad_csv", detail),))
    row: dict[str, Any] = {}
    errors = []
    for name, cell in zip(names, record.cells, strict=True):
        if cell:
            try:
                row[name] = _cell(name, cell)
            except ValueError as error:
                errors.append(FieldError(f"/{name}", "bad_cell", str(error)))
    blank = frozenset(name for name, cell in zip(names, record.cells, strict=True) if not cell) - _REQUIRED
    return Line(record.number, None if errors else row, tuple(errors), blank)


def _cell(name: str, cell: str) -> Any:
    if name in _LISTS:
        return [part for part in map(str.strip, cell.split("|")) if part]
    if name in _OBJECTS:
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            raise ValueError("Must be a JSON object.") from None
    if name == "hidden":
        if cell.lower() not in _BOOLEANS:
            raise ValueError("Must be true or false.")
        return _BOOLEANS[cell.lower()]
    if name == "value":
        return _number(cell, "Must be a number.")
    if name == "occurred_at" and cell[4:5] != "-":
        return _number(cell, "Must be Unix seconds or an RFC 3339 timestamp.")
    return cell


def _number(cell: str, refusal: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(refusal) from None
    if "_" in cell or not math.isfinite(number):
        raise ValueError(refusal)
    return number
