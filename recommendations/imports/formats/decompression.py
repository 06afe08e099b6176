"""A file's bytes in blocks, decompressed if they are gzip. The work is bounded by the size of what was sent.

A gzip file may expand to a thousand times its size, and contain endless headers and empty members. Each costs time out
of proportion to its bytes, so each has a limit; blocks before the limit have been yielded.
"""

import zlib
from collections.abc import Iterator
from typing import IO

from recommendations.imports.formats.read_options import UnreadableFile

BLOCK = 64 * 1024
# Text shrinks to about a tenth with gzip; the limit of deflate is about a thousandth. Small files are exempt.
MAX_RATIO = 200
RATIO_FROM = 1024 * 1024
# The maximum header of a member (file name, comment), and of consecutive empty members.
MAX_SILENT = 1024 * 1024
MAX_EMPTY_MEMBERS = 1000
GZIP = b"\x1f\x8b"


class Blocks:
    """The decompressed bytes of a file. Read it once.

    `packed` counts the bytes read from the file, `unpacked` the decompressed ones, which `max_unpacked` bounds.
    """

    def __init__(self, raw: IO[bytes], *, max_unpacked: int | None = None) -> None:
        self._raw, self._max_unpacked = raw, max_unpacked
        self.packed = self.unpacked = 0
        self._first = self._read()
        self.is_gzip = self._first.startswith(GZIP)

    def __iter__(self) -> Iterator[bytes]:
        """Yields blocks of at most BLOCK bytes.

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
        member, packed, silent, empty = _Member(), self._first, 0, 0
        while packed:
            block = member.feed(packed)
            packed, silent = member.rest, 0 if block else silent + len(packed) - len(member.rest)
            if block:
                yield block
            if silent > MAX_SILENT:
                raise UnreadableFile(
                    f"A gzip member has {MAX_SILENT:,} bytes without content; compress the file again."
                )
            if member.ended:
                empty = 0 if member.given else empty + 1
                if empty > MAX_EMPTY_MEMBERS:
                    raise UnreadableFile(f"More than {MAX_EMPTY_MEMBERS:,} consecutive gzip members are empty.")
                packed = self._next_member(packed)
                member = _Member()
            packed = packed or self._read()
        if member.fed:
            raise EOFError("the last gzip member is truncated")

    def _next_member(self, rest: bytes) -> bytes:
        """The start of the next member; zero padding is skipped."""
        rest = rest.lstrip(b"\0")
        while not rest:
            if not (rest := self._read()):
                return b""
            rest = rest.lstrip(b"\0")
        if len(rest) == 1:
            rest += self._read()
        if not rest.startswith(GZIP):
            raise UnreadableFile("Other bytes follow the end of the gzip data; the file is damaged.")
        return rest

    def _check_bomb(self) -> None:
        if self._max_unpacked is not None and self.unpacked > self._max_unpacked:
            raise UnreadableFile(f"The file decompresses to more than {self._max_unpacked:,} bytes; split it.")
        if self.is_gzip and self.unpacked > RATIO_FROM and self.unpacked > MAX_RATIO * self.packed:
            raise UnreadableFile(
                f"The file decompresses to more than {MAX_RATIO} times its size; send it uncompressed."
            )


class _Member:
    """One member of a gzip file."""

    def __init__(self) -> None:
        self._zip = zlib.decompressobj(wbits=31)
        self.rest = b""
        self.fed = self.given = False

    @property
    def ended(self) -> bool:
        return self._zip.eof

    def feed(self, packed: bytes) -> bytes:
        """Decompresses at most BLOCK bytes; `rest` is what to feed next, or what follows the end."""
        self.fed = True
        block = self._zip.decompress(packed, BLOCK)
        self.rest = self._zip.unused_data if self._zip.eof else self._zip.unconsumed_tail
        self.given = self.given or bool(block)
        return block
