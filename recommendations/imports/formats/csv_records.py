"""Records of a table, from lines of UTF-8. A damaged record costs as few lines as possible."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import FieldError
from recommendations.imports.formats import lines as physical
from recommendations.imports.formats.rows import Line, Record

# The bytes that may be read again after an unterminated record, in addition to those read for the first time.
MAX_REREAD = 8 * 1024 * 1024
_ESCAPED = 'Quotation marks within a quoted cell must be doubled; if they are escaped as \\", set the option escape.'
# Messages of the csv module, reworded for the authors of files.
_MESSAGES = {
    "unexpected end of data": "A quotation mark opens a cell that is never closed.",
    "line contains NUL": "The row contains U+0000.",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """The CSV dialect: delimiter, quotation mark, and escape before a quotation mark ("" if it is doubled)."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    encoding: str = "utf-8"


class Records:
    """The records of a table, in order."""

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
        """Skips the lines up to this one."""
        self._lines.skip_to(number)

    def __iter__(self) -> Iterator[Record | Line]:
        """Yields records, and a Line with errors for each unreadable one. Empty lines are records without cells."""
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
                yield self._rejected(first, error.code, str(error))
                reader = self._reader()
            except csv.Error as error:
                if literal := self._as_literal():
                    yield Record(first, literal)
                else:
                    hint = f" {_ESCAPED}" if not self._dialect.escape and self._lines.has(b'\\"') else ""
                    yield self._rejected(first, "bad_csv", f"{_message(error)}{hint}")
                reader = self._reader()

    def misread(self, record: Record, rejected: Line) -> Line:
        """The error of a record with the wrong number of cells; lines swallowed by a lone mark are read again."""
        if self._lines.number <= record.number:
            return rejected
        self._reread = True
        return self._rejected(record.number, rejected.errors[0].code, rejected.errors[0].detail)

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
        """Tab-separated tables are often written without quoting, so that a leading mark is literal."""
        if self._dialect.delimiter != "\t" or not (line := self._lines.first()):
            return None
        self._lines.put_back()
        return line.rstrip("\r\n").split("\t")

    def _rejected(self, first: int, code: str, detail: str) -> Line:
        last = self._lines.number
        if last > first:
            if self._lines.put_back():
                detail += f" Look for a lone quotation mark in line {first}; the following lines were read separately."
            else:
                detail += f" Lines {first} to {last} were skipped; look for a lone quotation mark."
        return Line(first, None, (FieldError("", code, detail),))


class _BadLine(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class _Lines:
    """Counted, decoded lines for csv.reader. All lines of a record together have the size limit of one line."""

    def __init__(self, lines: Iterator[bytes | None], encoding: str) -> None:
        self._lines, self._encoding = lines, encoding
        self._record: list[bytes | None] = []
        self._ahead: deque[bytes | None] = deque()
        self._size = self._read = self._reread = 0
        self.number = 0

    def begin(self) -> int:
        """Starts a new record; returns its first line."""
        self._record, self._size = [], 0
        return self.number + 1

    def put_back(self) -> bool:
        """Puts back all lines of the record but the first; False if that exceeds MAX_REREAD."""
        following = self._record[1:]
        size = sum(len(line or b"") for line in following)
        if self._reread + size > MAX_REREAD + self._read:
            return False
        self._reread += size
        self._ahead.extendleft(reversed(following))
        self.number -= len(following)
        del self._record[1:]
        return True

    def first(self) -> str:
        """The first line of the record; empty if it cannot be decoded."""
        try:
            return (self._record[0] or b"").decode() if self._record else ""
        except UnicodeDecodeError:
            return ""

    def has(self, text: bytes) -> bool:
        """True if the record contains the text."""
        return any(text in line for line in self._record if line)

    def skip_to(self, number: int) -> None:
        """Skips the lines up to this one."""
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
            raise _BadLine("bad_encoding", _encoding_error(line, error.start, self._encoding)) from None


def _message(error: csv.Error) -> str:
    message = str(error)
    if "expected after" in message:
        return "Text follows the closing quotation mark of a cell; expected a delimiter."
    return _MESSAGES.get(message, f"{message}.")


def _encoding_error(line: bytes, at: int, encoding: str) -> str:
    if encoding != "utf-8":
        return f"Character {len(line[:at].decode()) + 1} of the line is not {encoding}."
    return f"Byte {at + 1} of the line is not UTF-8. If the file has another encoding, such as windows-1252, set it."
