"""The header of a table: names of columns, and records that are not rows."""

from collections.abc import Callable, Sequence
from typing import Any

from core.errors import FieldError
from core.quoting import quoted
from recommendations.imports.formats.read_options import UnreadableFile
from recommendations.imports.formats.rows import Line, Record

# Maps the names of the columns to a function from records to rows. Raises: UnreadableFile for unusable columns.
Table = Callable[[Sequence[str]], Callable[[Record], Line]]
# Maps them to a function from the columns of neighbouring rows to their checked values, or to None: they are then read
# one by one. None instead of a function if no rows can be read at once.
BlockTable = Callable[[Sequence[str]], Callable[[Sequence[Sequence[str]]], Any] | None]


class Header:
    """The names of a table's columns, without empty ones at the end, as a trailing comma makes them.

    Raises: UnreadableFile.
    """

    def __init__(self, cells: Sequence[str]) -> None:
        names = [name.strip().strip("\ufeff") for name in cells]
        while names and not names[-1]:
            names.pop()
        if not names:
            raise UnreadableFile("The first line has no column names.")
        if "" in names:
            raise UnreadableFile(
                f"Column {names.index('') + 1} has no name. Name it, or remove it (pandas: index=False)."
            )
        if repeated := next((name for name in names if names.count(name) > 1), None) if len(names) < 1000 else None:
            raise UnreadableFile(f"The header contains the column '{quoted(repeated)}' twice.")
        self.names = tuple(names)
        self._folded = [name.casefold() for name in names]

    def trimmed(self, record: Record) -> Record:
        """The record without empty cells after the last named column."""
        cells = record.cells
        if len(cells) > len(self.names) and not any(cell.strip() for cell in cells[len(self.names) :]):
            return Record(record.number, cells[: len(self.names)])
        return record

    def is_repeated_in(self, record: Record) -> bool:
        """True if the record repeats the header, as in concatenated files.

        Raises: UnreadableFile for a header with the same columns in another order, as what follows would be misread.
        """
        if len(record.cells) != len(self.names) or self._plain(record.cells[0]) not in self._folded:
            return False
        folded = [self._plain(cell) for cell in record.cells]
        if folded == self._folded:
            return True
        if len(folded) > 1 and sorted(folded) == sorted(self._folded):
            raise UnreadableFile(
                f"Line {record.number} is a header with the columns in another order. Send the parts as separate files."
            )
        return False

    @staticmethod
    def _plain(cell: str) -> str:
        return cell.strip().strip("\ufeff").casefold()

    def rejection(self, record: Record) -> Line | None:
        """The error of a record with the wrong number of cells."""
        if len(record.cells) == len(self.names):
            return None
        detail = f"{len(record.cells)} cells, but the header names {len(self.names)} columns."
        return Line(record.number, None, (FieldError("", "bad_csv", detail),))
