"""A file's bytes in blocks, unpacked where they are gzip. The work is bounded by what was sent, not by what it says.

A gzip file may hold a thousand times its size, headers without end, and parts without content. Each costs time that
nobody sent bytes for, so each has its bound; what stood before a bound is reached has been handed on.
"""

import zlib
from collections.abc import Iterator
from typing import IO

from recommendations.imports.read_options import UnreadableFile

BLOCK = 64 * 1024
# Text shrinks by gzip to a tenth or so; deflate's limit is about a thousandth. The smallest files may be as they are.
MAX_RATIO = 200
RATIO_FROM = 1024 * 1024
# What a part may have of header (a file name, a comment), and how many empty parts may follow each other.
MAX_SILENT = 1024 * 1024
MAX_EMPTY_PARTS = 1000
GZIP = b"\x1f\x8b"


class Blocks:
    """The bytes of a file, as they are without gzip. Read it once.

    `unpacked` counts them; `packed` those that were read of the file for it; `max_unpacked` bounds the former.
    """

    def __init__(self, raw: IO[bytes], *, max_unpacked: int | None = None) -> None:
        self._raw, self._max_unpacked = raw, max_unpacked
        self.packed = self.unpacked = 0
        self._first = self._read()
        self.is_gzip = self._first.startswith(GZIP)

    def __iter__(self) -> Iterator[bytes]:
        """Blocks of at most BLOCK bytes.

        Raises: UnreadableFile, zlib.error, EOFError, OSError.
        """
        for block in self._gzip() if self.is_gzip else self._plain():
            self.unpacked += len(block)
            self._check_bomb()
            yield block

    def _read(self) -> bytes:
        block = self._raw.read(BLOCK)
        self.packed += len(block)
        return block

    def _plain(self) -> Iterator[bytes]:
        block = self._first
        while block:
            yield block
            block = self._read()

    def _gzip(self) -> Iterator[bytes]:
        part, packed, silent, empty = _Part(), self._first, 0, 0
        while packed:
            block = part.feed(packed)
            packed, silent = part.rest, 0 if block else silent + len(packed) - len(part.rest)
            if block:
                yield block
            if silent > MAX_SILENT:
                raise UnreadableFile(f"A gzip part has {MAX_SILENT:,} bytes with nothing in them; pack the file anew.")
            if part.ended:
                empty = 0 if part.given else empty + 1
                if empty > MAX_EMPTY_PARTS:
                    raise UnreadableFile(f"More than {MAX_EMPTY_PARTS:,} empty gzip parts stand in a row.")
                packed = self._behind(packed)
                part = _Part()
            packed = packed or self._read()
        if part.fed:
            raise EOFError("the last gzip part has no end")

    def _behind(self, rest: bytes) -> bytes:
        """What follows the end of a part; padding with zeros is passed over."""
        rest = rest.lstrip(b"\0")
        while not rest:
            if not (rest := self._read()):
                return b""
            rest = rest.lstrip(b"\0")
        if len(rest) == 1:
            rest += self._read()
        if not rest.startswith(GZIP):
            raise UnreadableFile("Behind the end of the gzip data stand other bytes; the file is damaged.")
        return rest

    def _check_bomb(self) -> None:
        if self._max_unpacked is not None and self.unpacked > self._max_unpacked:
            raise UnreadableFile(f"The file unpacks to more than {self._max_unpacked:,} bytes; send it in parts.")
        if self.is_gzip and self.unpacked > RATIO_FROM and self.unpacked > MAX_RATIO * self.packed:
            raise UnreadableFile(f"The file unpacks to more than {MAX_RATIO} times its size; send it unpacked.")


class _Part:
    """One part (member) of a gzip file."""

    def __init__(self) -> None:
        self._zip = zlib.decompressobj(wbits=31)
        self.rest = b""
        self.fed = self.given = False

    @property
    def ended(self) -> bool:
        return self._zip.eof

    def feed(self, packed: bytes) -> bytes:
        """At most BLOCK bytes of content; `rest` is what is to be fed next, or stands behind the end."""
        self.fed = True
        block = self._zip.decompress(packed, BLOCK)
        self.rest = self._zip.unused_data if self._zip.eof else self._zip.unconsumed_tail
        self.given = self.given or bool(block)
        return block
