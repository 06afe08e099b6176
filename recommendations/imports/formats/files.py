"""Import files as a stream of rows: tables, NDJSON or JSON, plain or gzip. Only the current row is in memory.

An unreadable row is yielded with its line and error, and reading continues after it. Only a file that cannot be read at
all raises an error, before its first row.
"""

import zlib
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from recommendations.imports.formats import lines as physical
from recommendations.imports.formats.csv_records import Dialect, Records
from recommendations.imports.formats.decompression import Blocks
from recommendations.imports.formats.detection import SAMPLE, DetectedFormat, detect_format
from recommendations.imports.formats.json_entries import Entries
from recommendations.imports.formats.read_options import AS_FOUND, Form, ReadOptions, UnreadableFile
from recommendations.imports.formats.rows import Block, Line, Record, json_row, too_long
from recommendations.imports.formats.table_header import BlockTable, Header, Table

__all__ = ["ImportFile", "UnreadableFile"]

# Lines without a row, such as blank ones, after which progress is reported.
QUIET_LINES = 10_000
# The maximum number of lines of a compressed file: each costs its sender some bits at least.
MAX_LINES_PER_BYTE = 5
LINE_LIMIT_FROM = 100_000


class ImportFile:
    """An open file. Read it once; `position` of `size` bytes is the progress, `line` the end of the last row.

    `unpacked` counts the decompressed bytes, which `max_unpacked` bounds. `table` maps the columns of a table, and
    `blocks` those of many rows at once; `known` are names that they may have. `detected` is the format of the file.

    Raises: UnreadableFile for an unsupported file.
    """

    def __init__(
        self,
        raw: IO[bytes],
        *,
        size: int,
        known: Collection[str],
        table: Table,
        blocks: BlockTable | None = None,
        options: ReadOptions = AS_FOUND,
        hint: Form | None = None,
        max_unpacked: int | None = None,
    ) -> None:
        self.size, self.line, self.unpacked, self._count = size, 0, 0, 0
        self._raw, self._options = raw, options
        self._table, self._block_table = table, blocks
        try:
            self._blocks = Blocks(raw, max_unpacked=max_unpacked)
            sample, self._content = _sampled(self._blocks)
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(error) from error
        self.detected: DetectedFormat = detect_format(
            sample, options, known=frozenset(known), whole=len(sample) < SAMPLE, hint=hint or options.form
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        known: Collection[str],
        table: Table,
        blocks: BlockTable | None = None,
        options: ReadOptions = AS_FOUND,
    ) -> "ImportFile":
        """Opens a file by its path.

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
            return cls(raw, size=size, known=known, table=table, blocks=blocks, options=options, hint=hint)
        except BaseException:
            raw.close()
            raise

    def __enter__(self) -> "ImportFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    @property
    def position(self) -> int:
        """Bytes of the file read so far."""
        return min(self._blocks.packed, self.size)

    def __iter__(self) -> Iterator[Line]:
        """Yields the rows in order, of a file that was opened without `blocks`.

        Raises: UnreadableFile.
        """
        return (line for line in self.rows() if isinstance(line, Line))

    def rows(self, *, after: int = 0) -> Iterator[Line | Block | None]:
        """Yields the rows after a `line` at which an earlier read stopped; neighbouring ones as a block if they can be.

        Yields None after many lines without a row, so that progress can be saved.

        Raises: UnreadableFile.
        """
        read = {"csv": self._csv_rows, "ndjson": self._lines_of_json, "json": self._entries_of_json}[self.detected.form]
        try:
            yield from read(after)
        except (OSError, EOFError, zlib.error) as error:
            raise _damaged(error) from error

    def _check_count(self, more: int = 1) -> None:
        """Limits the number of lines or entries, also of empty ones, as each takes time."""
        self._count += more
        if (
            self._count > LINE_LIMIT_FROM
            and self._blocks.is_gzip
            and self._count > MAX_LINES_PER_BYTE * self._blocks.packed
        ):
            raise UnreadableFile(
                f"The file has more than {MAX_LINES_PER_BYTE} lines per compressed byte; send it uncompressed."
            )

    def _lines(self) -> physical.Lines:
        return physical.Lines(physical.as_utf8(self._content, self.detected.encoding), self._check_count)

    def _lines_of_json(self, after: int) -> Iterator[Line | None]:
        quiet = 0
        for number, line in enumerate(self._lines(), start=1):
            if number <= after:
                continue
            self.line = number
            self.unpacked += physical.MAX_LINE if line is None else len(line)
            if line is None:
                yield too_long(number, physical.MAX_LINE)
            elif text := line.strip().removeprefix(physical.BOM):
                yield json_row(number, text)
            else:
                quiet += 1
                if quiet % QUIET_LINES == 0:
                    yield None

    def _entries_of_json(self, after: int) -> Iterator[Line | None]:
        """For JSON that is not one row per line, `line` counts entries."""
        content = physical.as_utf8(self._content, self.detected.encoding)
        for number, entry in enumerate(Entries(content, array=self.detected.array), start=1):
            if number <= after:
                continue
            self.line = number
            self.unpacked += physical.MAX_LINE if entry.text is None else len(entry.text)
            self._check_count()
            if entry.text is None:
                yield too_long(entry.number, physical.MAX_LINE)
            else:
                yield json_row(entry.number, entry.text)

    def _csv_rows(self, after: int) -> Iterator[Line | Block | None]:
        detected, options = self.detected, self._options
        dialect = Dialect(detected.delimiter, options.quote, options.escape, detected.encoding)
        records = Records(self._lines(), dialect)
        records.skip_to(detected.begins - 1)
        header = Header(options.columns) if options.columns else _header(records)
        row = self._table(header.names)
        read_block = self._block_table(header.names) if self._block_table is not None else None
        records.skip_to(after)
        quiet, one_by_one = 0, iter(records)
        while True:
            if read_block is not None and (columns := records.fresh_columns(len(header.names))):
                values = read_block(columns)
                if values is not None:
                    first = records.line + 1
                    records.pass_fresh()
                    self.line, self.unpacked = records.line, records.passed
                    yield Block(first, values)
                    continue
            record = next(one_by_one, None)
            if record is None:
                return
            self.line, self.unpacked = records.line, records.passed
            if isinstance(record, Line):
                yield record
            elif not any(record.cells) or header.is_repeated_in(record) or _is_separator(record):
                quiet += 1
                if quiet % QUIET_LINES == 0:
                    yield None
            else:
                trimmed = header.trimmed(record)
                rejected = header.rejection(trimmed)
                yield row(trimmed) if rejected is None else records.misread(record, rejected)


def _sampled(blocks: Blocks) -> tuple[bytes, Iterator[bytes]]:
    """A sample of the content, and all of the content. Later damage is raised when the rows are read."""
    head: list[bytes] = []
    source, size = iter(blocks), 0
    while size < SAMPLE:
        try:
            block = next(source, None)
        except (OSError, EOFError, zlib.error, UnreadableFile) as error:
            if not head:
                raise
            return b"".join(head), chain(head, _raising(error))
        if block is None:
            break
        head.append(block)
        size += len(block)
    return b"".join(head)[:SAMPLE], chain(head, source)


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
    """Excel's line that names the delimiter; it precedes each part of a concatenated file."""
    return record.cells[0].lower().startswith("sep=") and not any(record.cells[1:])


def _damaged(error: Exception) -> UnreadableFile:
    return UnreadableFile(f"The file is truncated or damaged: {error}")
