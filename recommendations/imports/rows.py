"""Single rows of import files, as they stand in the file and as they are read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.errors import FieldError
from recommendations.catalog.merging import Changes


@dataclass(frozen=True, slots=True)
class Line:
    """A row and the line at which it begins, or None with what was wrong.

    As the file has it, `row` holds its columns: of a table as `cells`, of JSON as its values. As ours, it holds fields,
    `blank` names those whose cells are empty, which `row` does not have, and `notes` say what was left out.
    """

    number: int
    row: Mapping[str, Any] | None
    errors: tuple[FieldError, ...] = ()
    blank: frozenset[str] = frozenset()
    cells: bool = False
    notes: tuple[FieldError, ...] = ()

    def emptying(self) -> "Line":
        """The same, where the empty cells empty their fields."""
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
