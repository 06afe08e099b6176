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

    def __init__(self, lines: physical.Lines, dialect: Dialect) -> None:
        self._lines = _Lines(lines, dialect.encoding)
        self._dialect = dialect
        self._plain = len(dialect.delimiter) > 1
        self._reread = False
        self._fresh: str | None = None
        self._block: deque[tuple[Record, int]] = deque()

    @property
    def line(self) -> int:
        """The line at which the last record ended."""
        return self._lines.number

    @property
    def passed(self) -> int:
        """The size of the records so far, roughly in bytes."""
        return self._lines.passed + self._lines.size

    def skip_to(self, number: int) -> None:
        """Skips the lines up to this one."""
        while (self._block or self._fresh is not None) and self._lines.number < number:
            if self._block or self._read_block():
                self._from_block()
        if not self._block and self._fresh is None:
            self._lines.skip_to(number)

    def __iter__(self) -> Iterator[Record | Line]:
        """Yields records, and a Line with errors for each unreadable one. Empty lines are records without cells."""
        csv.field_size_limit(physical.MAX_LINE)
        reader = self._reader()
        while True:
            while self._block or self._read_block():
                yield self._from_block()
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

    def fresh_columns(self, width: int) -> list[list[str]]:
        """The columns of the next lines, if none of them needs a reader and all have `width` cells; otherwise none.

        They are still to come as records, unless `pass_fresh` is called.
        """
        if self._block or not self._read_fresh() or self._fresh is None:
            return []
        delimiter, rows = self._dialect.delimiter, self._fresh.count("\n") + 1
        # A cell of its own ends each line: they stand at equal distances only if all lines have `width` cells.
        cells = self._fresh.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)
        if len(cells) != rows * (width + 1) - 1 or cells[width :: width + 1].count("\n") != rows - 1:
            return []
        return [cells[place :: width + 1] for place in range(width)]

    def pass_fresh(self) -> None:
        """Takes the fresh lines as read."""
        if self._fresh is not None:
            self._lines.number += self._fresh.count("\n") + 1
            self._lines.passed += len(self._fresh) + 1
            self._fresh = None

    def _read_fresh(self) -> bool:
        if self._fresh is None and not (self._plain or self._dialect.escape or self._reread):
            self._fresh = self._lines.plain_block(self._dialect.quote)
        return self._fresh is not None

    def _read_block(self) -> bool:
        """Reads the next lines as records, if none has a quotation mark or anything else that needs a reader."""
        if not self._read_fresh() or self._fresh is None:
            return False
        lines, delimiter = self._fresh.split("\n"), self._dialect.delimiter
        self._block.extend(
            (Record(number, line.split(delimiter) if line else []), len(line) + 1)
            for number, line in enumerate(lines, start=self._lines.number + 1)
        )
        self._fresh = None
        return True

    def _from_block(self) -> Record:
        record, size = self._block.popleft()
        self._lines.number = record.number
        self._lines.passed += size
        return record

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

    def __init__(self, lines: physical.Lines, encoding: str) -> None:
        self._lines, self._encoding = lines, encoding
        self._record: list[bytes | None] = []
        self._ahead: deque[bytes | None] = deque()
        self._failure: Exception | None = None
        self.passed = self.size = self._read = self._reread = 0
        self.number = 0

    def begin(self) -> int:
        """Starts a new record; returns its first line."""
        self.passed += self.size
        self._record, self.size = [], 0
        return self.number + 1

    def plain_block(self, quote: str) -> str | None:
        """The next lines, without the last one's end; None if they need a reader, or at the end.

        They count as read when `number` says so. Lines that need a reader are kept for it.
        """
        if self._ahead or self._failure is not None:
            return None
        try:
            block = self._lines.block()
        except Exception as error:  # noqa: BLE001  # raised where the lines before it have been read
            self._failure = error
            return None
        if not block:
            return None
        text = _plain_text(block, quote) if len(block) <= physical.MAX_LINE else None
        if text is None:
            self._lines.put_back(block)
        else:
            self._read += len(block)
        return text

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

    def _next(self, *default: bytes) -> bytes | None:
        if self._ahead:
            return self._ahead.popleft()
        if self._failure is not None:
            raise self._failure
        line = next(self._lines, *default)
        self._read += len(line or b"")
        return line

    def skip_to(self, number: int) -> None:
        """Skips the lines up to this one."""
        while self.number < number and self._next(b"") != b"":
            self.number += 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._next()
        self.number += 1
        self._record.append(line)
        if line is None:
            raise _BadLine("line_too_long", f"The line is longer than {physical.MAX_LINE} bytes.")
        self.size += len(line)
        if self.size > physical.MAX_LINE:
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


def _plain_text(block: bytes, quote: str) -> str | None:
    """The lines without CR and the last end, if they hold no quotation mark and nothing else that a reader looks at."""
    mark = quote.encode()
    if (mark and mark in block) or b"\0" in block or physical.BOM in block:
        return None
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
        if b"\r" in block:
            return None
    try:
        return block.decode().removesuffix("\n")
    except UnicodeDecodeError:
        return None
