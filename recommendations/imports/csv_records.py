"""Records of a table, from lines of UTF-8. A damaged one costs as few lines as can be, and is told by its first."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import FieldError
from recommendations.imports import lines as physical
from recommendations.imports.rows import Line, Record

# What is read again behind a record that has no end: so much, and no more than was read for the first time.
AGAIN = 8 * 1024 * 1024
_ESCAPED = (
    'Quotation marks are doubled within a quoted cell; where they are escaped as \\", say so with the option escape.'
)
# What csv says, in words of those who wrote the file.
_SAID = {
    "unexpected end of data": "A quotation mark opens a cell that is never closed.",
    "line contains NUL": "The row holds U+0000.",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written: between cells, around them, and before a quotation mark within one ("" where doubled)."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    encoding: str = "utf-8"


class Records:
    """A table's records, one after the other. `line` is the one at which the last record ended."""

    def __init__(self, lines: Iterator[bytes | None], dialect: Dialect) -> None:
        self._lines = _Lines(lines, dialect.encoding)
        self._dialect = dialect
        self._plain = len(dialect.delimiter) > 1
        self._reread = False

    @property
    def line(self) -> int:
        """The line at which the last record ended."""
        return self._lines.number

    def skip_to(self, number: int) -> None:
        """Passes over the lines up to this one."""
        self._lines.skip_to(number)

    def __iter__(self) -> Iterator[Record | Line]:
        """The records, those that cannot be read as a Line with its error. Empty lines are records without cells."""
        csv.field_size_limit(physical.MAX_LINE)
        reader = self._reader()
        while True:
            first = self._lines.begin()
            if self._reread:
                reader, self._reread = self._reader(), False
            try:
                yield Record(first, next(reader))
            except StopIteration:
                return
            except _BadLine as error:
                yield self._refused(first, error.code, str(error))
                reader = self._reader()
            except csv.Error as error:
                if literal := self._as_literal():
                    yield Record(first, literal)
                else:
                    hint = f" {_ESCAPED}" if not self._dialect.escape and self._lines.has(b'\\"') else ""
                    yield self._refused(first, "bad_csv", f"{_words(error)}{hint}")
                reader = self._reader()

    def misread(self, record: Record, refused: Line) -> Line:
        """What is told of a record whose cells do not fit: where a lone mark swallowed lines, these are read again."""
        if self._lines.number <= record.number:
            return refused
        self._reread = True
        return self._refused(record.number, refused.errors[0].code, refused.errors[0].detail)

    def _reader(self) -> Iterator[list[str]]:
        dialect = self._dialect
        if self._plain:
            return (line.rstrip("\r\n").split(dialect.delimiter) if line.strip() else [] for line in self._lines)
        return csv.reader(
            self._lines,
            delimiter=dialect.delimiter,
            quotechar=dialect.quote or None,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            escapechar=dialect.escape or None,
            strict=True,
        )

    def _as_literal(self) -> list[str] | None:
        """Tables with tabs are often written without any quoting: there a mark at the beginning of a cell is a mark."""
        if self._dialect.delimiter != "\t" or not (line := self._lines.first()):
            return None
        self._lines.again()
        return line.rstrip("\r\n").split("\t")

    def _refused(self, first: int, code: str, detail: str) -> Line:
        last = self._lines.number
        if last > first:
            if self._lines.again():
                detail += (
                    f" Look for a lone quotation mark in line {first}; the lines behind it were read by themselves."
                )
            else:
                detail += f" Lines {first} to {last} were left out; look for a lone quotation mark."
        return Line(first, None, (FieldError("", code, detail),))


class _BadLine(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class _Lines:
    """Decoded lines for csv.reader, counted; those of one record together are bounded like one line."""

    def __init__(self, lines: Iterator[bytes | None], encoding: str) -> None:
        self._lines, self._encoding = lines, encoding
        self._record: list[bytes | None] = []
        self._ahead: deque[bytes | None] = deque()
        self._size = self._read = self._reread = 0
        self.number = 0

    def begin(self) -> int:
        """A new record: the line at which it begins."""
        self._record, self._size = [], 0
        return self.number + 1

    def again(self) -> bool:
        """Puts back the lines of the record behind its first, if no more was put back than may be."""
        behind = self._record[1:]
        size = sum(len(line or b"") for line in behind)
        if self._reread + size > AGAIN + self._read:
            return False
        self._reread += size
        self._ahead.extendleft(reversed(behind))
        self.number -= len(behind)
        del self._record[1:]
        return True

    def first(self) -> str:
        """The first line of the record, where it can be decoded."""
        try:
            return (self._record[0] or b"").decode() if self._record else ""
        except UnicodeDecodeError:
            return ""

    def has(self, text: bytes) -> bool:
        """Whether the record holds this."""
        return any(text in line for line in self._record if line)

    def skip_to(self, number: int) -> None:
        """Passes over the lines up to this one."""
        while self.number < number and next(self._lines, b"") != b"":
            self.number += 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._ahead:
            line = self._ahead.popleft()
        else:
            line = next(self._lines)
            self._read += len(line or b"")
        self.number += 1
        self._record.append(line)
        if line is None:
            raise _BadLine("line_too_long", f"The line is longer than {physical.MAX_LINE} bytes.")
        self._size += len(line)
        if self._size > physical.MAX_LINE:
            raise _BadLine("line_too_long", f"The record is longer than {physical.MAX_LINE} bytes.")
        if len(self._record) == 1:
            line = line.removeprefix(physical.BOM)
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise _BadLine("bad_encoding", _not_text(line, error.start, self._encoding)) from None


def _words(error: csv.Error) -> str:
    said = str(error)
    if "expected after" in said:
        return "Behind the quotation mark that closes a cell more text follows; a delimiter must."
    return _SAID.get(said, f"{said}.")


def _not_text(line: bytes, at: int, encoding: str) -> str:
    if encoding != "utf-8":
        return f"Character {len(line[:at].decode()) + 1} of the line is not {encoding}."
    return f"Byte {at + 1} of the line is not UTF-8. If the file is of another encoding, as windows-1252, say which."
