"""Import files as a stream of rows: CSV or NDJSON, plain or gzip. Nothing is held but the current row.

What cannot be read as a row is handed on as such, with its line; reading goes on behind it. Only a file that cannot be
read at all is an error.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from core.errors import FieldError
from recommendations.imports.rows import Line, Record, csv_row, json_row, too_long

MAX_LINE = 1024 * 1024
# Text shrinks by gzip to a tenth or so; deflate's limit is about a thousandth. Small files may be as they are.
MAX_RATIO = 200
RATIO_FROM = 64 * 1024 * 1024
# Ours are eight at most. A header with more is another file, or made to be one.
MAX_COLUMNS = 64
_NAMED = 10


class UnreadableFile(Exception):
    """The file as a whole cannot be read; says why."""


class ImportFile:
    """An open file. Read it once; `position` of `size` bytes tells the progress, `line` where the last row ended.

    `unpacked` counts the bytes that were read, as they are without gzip; `max_unpacked` bounds them.
    """

    def __init__(
        self,
        raw: IO[bytes],
        *,
        size: int,
        is_json: bool,
        columns: tuple[str, ...],
        required: tuple[str, ...],
        max_unpacked: int | None = None,
    ) -> None:
        self.size, self.columns, self.required, self.line = size, columns, required, 0
        self._raw, self._is_json, self._max_unpacked = raw, is_json, max_unpacked
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        self._stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if packed else raw)
        self.unpacked = 0

    @classmethod
    def open(cls, path: Path, *, columns: tuple[str, ...], required: tuple[str, ...]) -> "ImportFile":
        """A file by its name, whose ending tells the format.

        Raises: UnreadableFile.
        """
        is_json = _is_json(path)
        try:
            raw, size = path.open("rb"), path.stat().st_size
        except OSError as error:
            raise UnreadableFile(f"{path}: {error.strerror}") from error
        return cls(raw, size=size, is_json=is_json, columns=columns, required=required)

    def __enter__(self) -> "ImportFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._raw.close()

    @property
    def position(self) -> int:
        """Bytes of the file that were read so far."""
        return self._raw.tell() if not self._raw.closed else self.size

    def __iter__(self) -> Iterator[Line]:
        """The rows in their order.

        Raises: UnreadableFile.
        """
        return self.rows()

    def rows(self, *, after: int = 0) -> Iterator[Line]:
        """The rows behind a line at which an earlier reading's row ended (`line`).

        Raises: UnreadableFile.
        """
        try:
            yield from self._json_rows(after) if self._is_json else self._csv_rows(after)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableFile(f"The file breaks off or is damaged: {error}") from error

    def _lines(self) -> Iterator[bytes | None]:
        """Physical lines; None for one that is too long."""
        while line := self._stream.readline(MAX_LINE + 1):
            overlong = len(line) > MAX_LINE
            while True:
                self._check_bomb(len(line))
                if not overlong or line.endswith(b"\n") or not line:
                    break
                line = self._stream.readline(MAX_LINE + 1)
            yield None if overlong else line

    def _check_bomb(self, count: int) -> None:
        self.unpacked += count
        if self._max_unpacked is not None and self.unpacked > self._max_unpacked:
            raise UnreadableFile(f"The file unpacks to more than {self._max_unpacked:,} bytes; send it in parts.")
        if self.unpacked > RATIO_FROM and self.unpacked > MAX_RATIO * max(1, self._raw.tell()):
            raise UnreadableFile(f"The file unpacks to more than {MAX_RATIO} times its size; send it unpacked.")

    def _json_rows(self, after: int) -> Iterator[Line]:
        for number, line in enumerate(self._lines(), start=1):
            if number <= after:
                continue
            self.line = number
            if line is None:
                yield too_long(number, MAX_LINE)
            elif text := line.strip().removeprefix(b"\xef\xbb\xbf"):
                yield json_row(number, text)

    def _csv_rows(self, after: int) -> Iterator[Line]:
        lines = _CsvLines(self._lines())
        header = next(self._records(lines, None), None)
        if header is None:
            raise UnreadableFile("The file is empty; its first line must name the columns.")
        names = self._header(header)
        lines.skip_to(after)
        for record in self._records(lines, names):
            self.line = lines.number
            if isinstance(record, Line):
                yield record
            elif record.cells:
                yield csv_row(record, names)

    def _records(self, lines: "_CsvLines", names: list[str] | None) -> Iterator[Record | Line]:
        csv.field_size_limit(MAX_LINE)
        reader = csv.reader(lines, strict=True)
        while True:
            first = lines.begin()
            try:
                yield Record(first, next(reader))
            except StopIteration:
                return
            except (csv.Error, _BadLine) as error:
                detail = str(error)
                if lines.number > first:
                    detail += f" Lines {first} to {lines.number} were left out; look for a lone quotation mark."
                yield Line(first, None, (FieldError("", getattr(error, "code", "bad_csv"), detail),))
                reader = csv.reader(lines, strict=True)

    def _header(self, record: Record | Line) -> list[str]:
        if isinstance(record, Line):
            raise UnreadableFile(f"The header cannot be read: {record.errors[0].detail}")
        names, known = [name.strip() for name in record.cells], ", ".join(self.columns)
        if len(names) > MAX_COLUMNS:
            raise UnreadableFile(f"The first line names {len(names):,} columns. Known are {known}.")
        if unknown := [name[:100] for name in names if name not in self.columns]:
            more = ", ..." if len(unknown) > _NAMED else ""
            raise UnreadableFile(
                f"Unknown columns in the header: {', '.join(unknown[:_NAMED])}{more}. Known are {known}."
            )
        if len(set(names)) < len(names):
            raise UnreadableFile("A column stands twice in the header.")
        if missing := [name for name in self.required if name not in names]:
            raise UnreadableFile(f"The header lacks the columns {', '.join(missing)}.")
        return names


class _BadLine(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class _CsvLines:
    """Decoded lines for csv.reader, counted; those of one record together are bounded like one line."""

    def __init__(self, lines: Iterator[bytes | None]) -> None:
        self._lines = lines
        self._record_bytes = 0
        self.number = 0

    def begin(self) -> int:
        """A new record: the line at which it begins."""
        self._record_bytes = 0
        return self.number + 1

    def skip_to(self, number: int) -> None:
        """Passes over the lines up to this one."""
        while self.number < number and next(self._lines, b"") != b"":
            self.number += 1

    def __iter__(self) -> "_CsvLines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        if line is None:
            raise _BadLine("line_too_long", f"The line is longer than {MAX_LINE} bytes.")
        self._record_bytes += len(line)
        if self._record_bytes > MAX_LINE:
            raise _BadLine("line_too_long", f"The record is longer than {MAX_LINE} bytes.")
        if self.number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise _BadLine("bad_encoding", f"Byte {error.start + 1} of the line is not UTF-8.") from None


def _is_json(path: Path) -> bool:
    """By the name's ending.

    Raises: UnreadableFile for any other.
    """
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".ndjson", ".jsonl")):
        return True
    if name.endswith(".csv"):
        return False
    raise UnreadableFile(f"{path.name}: the name must end in .csv, .ndjson or .jsonl, with or without .gz.")
