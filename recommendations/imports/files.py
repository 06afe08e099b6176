"""Import files as a stream of rows: a table, NDJSON or JSON, plain or gzip. Nothing is held but the current row.

What cannot be read as a row is handed on as such, with its line; reading goes on behind it. Only a file that cannot be
read at all is an error, and says so before its first row.
"""

import zlib
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from recommendations.imports import lines as physical
from recommendations.imports.columns import Header, Table
from recommendations.imports.csv_records import Dialect, Records
from recommendations.imports.detection import SAMPLE, Found, detect
from recommendations.imports.gzip_stream import Blocks
from recommendations.imports.json_entries import Entries
from recommendations.imports.read_options import AS_FOUND, Form, ReadOptions, UnreadableFile
from recommendations.imports.rows import Line, Record, json_row, too_long

__all__ = ["ImportFile", "UnreadableFile"]

# Lines without a row in them, as blank ones, after which it is told that reading goes on.
QUIET_LINES = 10_000
# The lines that a packed file may have: each has to be sent as some bits at least.
MAX_LINES_A_BYTE = 5
LINES_FROM = 100_000


class ImportFile:
    """An open file. Read it once; `position` of `size` bytes tells the progress, `line` where the last row ended.

    `unpacked` counts the bytes that were read, as they are without gzip; `max_unpacked` bounds them. `table` says what
    a table's columns mean, `known` are names that they may have. `found` says what the file turned out to be.

    Raises: UnreadableFile, where the file is none of those that can be read.
    """

    def __init__(
        self,
        raw: IO[bytes],
        *,
        size: int,
        known: Collection[str],
        table: Table,
        options: ReadOptions = AS_FOUND,
        hint: Form | None = None,
        max_unpacked: int | None = None,
    ) -> None:
        self.size, self.line, self.unpacked, self._count = size, 0, 0, 0
        self._raw, self._options = raw, options
        self._table = table
        try:
            self._blocks = Blocks(raw, max_unpacked=max_unpacked)
            sample, self._content = _sampled(self._blocks)
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(error) from error
        self.found: Found = detect(
            sample, options, known=frozenset(known), whole=len(sample) < SAMPLE, hint=hint or options.form
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        known: Collection[str],
        table: Table,
        options: ReadOptions = AS_FOUND,
    ) -> "ImportFile":
        """A file by its name.

        Raises: UnreadableFile.
        """
        try:
            raw = path.open("rb")
        except (OSError, ValueError) as error:
            raise UnreadableFile(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        name = path.name.lower().removesuffix(".gz")
        hint: Form | None = "ndjson" if name.endswith((".ndjson", ".jsonl", ".json")) else None
        try:
            size = path.stat().st_size
            return cls(raw, size=size, known=known, table=table, options=options, hint=hint)
        except BaseException:
            raw.close()
            raise

    def __enter__(self) -> "ImportFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    @property
    def position(self) -> int:
        """Bytes of the file that were read so far."""
        return min(self._blocks.packed, self.size)

    def __iter__(self) -> Iterator[Line]:
        """The rows in their order.

        Raises: UnreadableFile.
        """
        return (line for line in self.rows() if line is not None)

    def rows(self, *, after: int = 0) -> Iterator[Line | None]:
        """The rows behind a line at which an earlier reading's row ended (`line`).

        None where many lines hold no row: nothing is to be done but to note how far it is.

        Raises: UnreadableFile.
        """
        read = {"csv": self._csv_rows, "ndjson": self._lines_of_json, "json": self._entries_of_json}[self.found.form]
        try:
            yield from read(after)
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(error) from error

    def _check_count(self) -> None:
        """Of lines or entries, those with nothing in them as well: each costs its time."""
        self._count += 1
        if self._count > LINES_FROM and self._blocks.is_gzip and self._count > MAX_LINES_A_BYTE * self._blocks.packed:
            raise UnreadableFile(
                f"The file has more than {MAX_LINES_A_BYTE} lines in each of its bytes; send it unpacked."
            )

    def _lines(self) -> Iterator[bytes | None]:
        for line in physical.lines(physical.as_utf8(self._content, self.found.encoding)):
            self.unpacked += physical.MAX_LINE if line is None else len(line)
            self._check_count()
            yield line

    def _lines_of_json(self, after: int) -> Iterator[Line | None]:
        quiet = 0
        for number, line in enumerate(self._lines(), start=1):
            if number <= after:
                continue
            self.line = number
            if line is None:
                yield too_long(number, physical.MAX_LINE)
            elif text := line.strip().removeprefix(physical.BOM):
                yield json_row(number, text)
            else:
                quiet += 1
                if quiet % QUIET_LINES == 0:
                    yield None

    def _entries_of_json(self, after: int) -> Iterator[Line | None]:
        """Of JSON that is not a row a line, `line` counts entries."""
        content = physical.as_utf8(self._content, self.found.encoding)
        for number, entry in enumerate(Entries(content, array=self.found.array), start=1):
            if number <= after:
                continue
            self.line = number
            self.unpacked += physical.MAX_LINE if entry.text is None else len(entry.text)
            self._check_count()
            if entry.text is None:
                yield too_long(entry.number, physical.MAX_LINE)
            else:
                yield json_row(entry.number, entry.text)

    def _csv_rows(self, after: int) -> Iterator[Line | None]:
        found, options = self.found, self._options
        dialect = Dialect(found.delimiter, options.quote, options.escape, found.encoding)
        records = Records(self._lines(), dialect)
        records.skip_to(found.begins - 1)
        header = Header(options.columns) if options.columns else _header(records)
        row = self._table(header.names)
        records.skip_to(after)
        quiet = 0
        for record in records:
            self.line = records.line
            if isinstance(record, Line):
                yield record
            elif not any(record.cells) or header.repeated(record) or _is_separator(record):
                quiet += 1
                if quiet % QUIET_LINES == 0:
                    yield None
            else:
                trimmed = header.trimmed(record)
                refused = header.refusal(trimmed)
                yield row(trimmed) if refused is None else records.misread(record, refused)


def _sampled(blocks: Blocks) -> tuple[bytes, Iterator[bytes]]:
    """The first of the content, and all of it. A file that breaks off later does so where its rows are read."""
    first: list[bytes] = []
    source, size = iter(blocks), 0
    while size < SAMPLE:
        try:
            block = next(source, None)
        except (OSError, EOFError, zlib.error, UnreadableFile) as error:
            if not first:
                raise
            return b"".join(first), chain(first, _raising(error))
        if block is None:
            break
        first.append(block)
        size += len(block)
    return b"".join(first)[:SAMPLE], chain(first, source)


def _raising(error: Exception) -> Iterator[bytes]:
    yield from ()
    raise error


def _header(records: Records) -> Header:
    for record in records:
        if isinstance(record, Line):
            raise UnreadableFile(f"The header cannot be read: {record.errors[0].detail}")
        if any(cell.strip("\ufeff \t") for cell in record.cells):
            return Header(record.cells)
    raise UnreadableFile("The file is empty; its first line must name the columns.")


def _is_separator(record: Record) -> bool:
    """A line of Excel's that names the delimiter, as it begins each part of a file that was put together."""
    return record.cells[0].lower().startswith("sep=") and not any(record.cells[1:])


def _damaged(error: Exception) -> UnreadableFile:
    return UnreadableFile(f"The file breaks off or is damaged: {error}")
