"""Single rows of import files, before and after mapping."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from core.errors import FieldError
from recommendations.catalog.merging import Changes


class Line(msgspec.Struct, frozen=True, gc=False):
    """A row and its first line; without a row, the errors.

    Before mapping, `row` holds columns: texts of a table (`cells`), or JSON values. After mapping it holds fields;
    `blank` names fields with empty cells, which are not in `row`, and `notes` tell what was omitted. `value` is the
    checked row, if it was read in one step; there is no `row` then.
    """

    number: int
    row: Mapping[str, Any] | None
    errors: tuple[FieldError, ...] = ()
    blank: frozenset[str] = frozenset()
    cells: bool = False
    notes: tuple[FieldError, ...] = ()
    value: Any = None

    def clearing_blanks(self) -> "Line":
        """The row with fields cleared whose cells are empty."""
        if self.row is None or not self.blank:
            return self
        row = dict(self.row)
        for name in self.blank:
            owner, dot, entry = name.partition(".")
            if not dot:
                row[name] = None
            elif isinstance(row.setdefault(owner, Changes()), Changes):
                row[owner] = Changes({**row[owner], entry: None})
        return replace(self, row=row)


class Block(msgspec.Struct, frozen=True, gc=False):
    """Neighbouring rows of a table from the line `first` on, read and checked at once; `values` can be cut."""

    first: int
    values: Any


class Record(msgspec.Struct, frozen=True, gc=False):
    """A raw CSV record."""

    number: int
    cells: list[str]


def too_long(number: int, limit: int) -> Line:
    """The error of a line that was not read."""
    return Line(number, None, (FieldError("", "line_too_long", f"The line is longer than {limit} bytes."),))


def json_row(number: int, text: bytes) -> Line:
    """Parses a line of NDJSON."""
    try:
        row = json.loads(text)
    except RecursionError:
        return Line(number, None, (FieldError("", "bad_json", "The row is nested too deeply."),))
    except ValueError as error:
        return Line(number, None, (FieldError("", "bad_json", f"Not JSON: {error}"[:400]),))
    if not isinstance(row, dict):
        return Line(number, None, (FieldError("", "not_an_object", "Each line must be a JSON object."),))
    return Line(number, row)
