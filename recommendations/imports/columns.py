"""What a table's header says: which cell is which field, and which records are no rows."""

from collections.abc import Callable, Sequence

from core.errors import FieldError
from core.quoting import quoted
from recommendations.imports.read_options import UnreadableFile
from recommendations.imports.rows import Line, Record

# Given the names of the columns, it says how a record becomes a row. Raises: UnreadableFile where they do not do.
Table = Callable[[Sequence[str]], Callable[[Record], Line]]


class Header:
    """The names of a table's columns, those behind the last named one (as of a trailing comma) left out.

    Raises: UnreadableFile.
    """

    def __init__(self, cells: Sequence[str]) -> None:
        names = [name.strip().strip("\ufeff") for name in cells]
        while names and not names[-1]:
            names.pop()
        if not names:
            raise UnreadableFile("The first line names no columns.")
        if "" in names:
            raise UnreadableFile(
                f"Column {names.index('') + 1} has no name. Give it one, or leave it out (pandas: index=False)."
            )
        if twice := next((name for name in names if names.count(name) > 1), None) if len(names) < 1000 else None:
            raise UnreadableFile(f"The column '{quoted(twice)}' stands twice in the header.")
        self.names = tuple(names)
        self._folded = [name.casefold() for name in names]

    def trimmed(self, record: Record) -> Record:
        """The record without empty cells behind the last named column."""
        cells = record.cells
        if len(cells) > len(self.names) and not any(cell.strip() for cell in cells[len(self.names) :]):
            return Record(record.number, cells[: len(self.names)])
        return record

    def repeated(self, record: Record) -> bool:
        """Whether the record is the header once more, as in files that were put together of several.

        Raises: UnreadableFile for a header with the same columns in another order: what follows would be misread.
        """
        if len(record.cells) != len(self.names):
            return False
        folded = [cell.strip().strip("\ufeff").casefold() for cell in record.cells]
        if folded == self._folded:
            return True
        if len(folded) > 1 and sorted(folded) == sorted(self._folded):
            raise UnreadableFile(
                f"Line {record.number} is a header with the columns in another order. "
                "Send the parts as files of their own."
            )
        return False

    def refusal(self, record: Record) -> Line | None:
        """What is wrong with a record that has not a cell for each column."""
        if len(record.cells) == len(self.names):
            return None
        detail = f"{len(record.cells)} cells where the header names {len(self.names)} columns."
        return Line(record.number, None, (FieldError("", "bad_csv", detail),))
