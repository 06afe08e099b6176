"""A file's text in lines of UTF-8, for any encoding and line ending, each of at most MAX_LINE bytes.

Undecodable input becomes a byte that is invalid in UTF-8, so that it costs only its own row.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from recommendations.imports.formats.read_options import UnreadableFile

MAX_LINE = 1024 * 1024
BOM = b"\xef\xbb\xbf"
_UNDECODABLE = "docent-undecodable"


def _marked(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end


codecs.register_error(_UNDECODABLE, _marked)


def as_utf8(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Converts text to UTF-8. UTF-8 passes unchanged: each line is decoded where it is read."""
    if encoding == "utf-8":
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)(_UNDECODABLE)
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "surrogateescape")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")


class Lines:
    """The lines of a text (`lines`), one by one, or all those of a block at once.

    `count` is told of each that is given, and may raise an error instead.
    """

    def __init__(self, blocks: Iterable[bytes], count: Callable[[int], None]) -> None:
        self._blocks, self._count = _ending_lines(blocks), count
        self._current: Iterator[bytes | None] = iter(())
        self._ahead: list[bytes | None] = []
        self._block: bytes | None = None

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> bytes | None:
        while not self._look_ahead():
            if not self._load():
                raise StopIteration
            self._current = lines(self._to_the_end_of_a_line())
        self._count(1)
        return self._ahead.pop()

    def block(self) -> bytes:
        """The next lines, of which nothing has been given; empty if there are none, or none that is whole."""
        if self._look_ahead() or not self._load() or self._block is None or not self._block.endswith(b"\n"):
            return b""
        count = self._block.count(b"\n")
        try:
            self._count(count)
        except UnreadableFile:  # the line that is too many is found by giving them one by one
            self._count(-count)
            return b""
        block, self._block = self._block, None
        return block

    def put_back(self, block: bytes) -> None:
        """Puts back the last block, to be given line by line."""
        self._block = block
        self._count(-block.count(b"\n"))

    def _look_ahead(self) -> bool:
        """True if lines of a block are left that were begun."""
        if not self._ahead:
            self._ahead = list(islice(self._current, 1))
        return bool(self._ahead)

    def _load(self) -> bool:
        if self._block is None:
            self._block = next(self._blocks, None)
        return self._block is not None

    def _to_the_end_of_a_line(self) -> Iterator[bytes]:
        while self._load() and self._block is not None:
            block, self._block = self._block, None
            yield block
            if block.endswith(b"\n"):
                return


def _ending_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Regroups blocks so that each ends with LF, except for the last, and for those within a very long line."""
    rest = b""
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = block[end:]
            continue
        rest += block
        if len(rest) > MAX_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest


def lines(blocks: Iterable[bytes], max_line: int | None = None) -> Iterator[bytes | None]:
    """Yields physical lines with their ends (LF, CR LF or CR alone); None for lines longer than `max_line`."""
    limit = MAX_LINE if max_line is None else max_line
    pending: list[bytes] = []
    size, overlong = 0, False
    for block in _whole_ends(blocks):
        for line in block.splitlines(keepends=True):
            size += len(line)
            overlong = overlong or size > limit
            ended = line[-1] in b"\r\n"
            if overlong or not ended:
                pending = [] if overlong else [*pending, line]
                if ended:
                    yield None
                    size, overlong = 0, False
                continue
            yield b"".join([*pending, line]) if pending else line
            pending, size = [], 0
    if size:
        yield None if overlong else b"".join(pending)


def _whole_ends(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Regroups blocks so that none ends between CR and LF."""
    carry = b""
    for block in blocks:
        whole = carry + block
        carry = b"\r" if whole.endswith(b"\r") else b""
        if whole := whole[: len(whole) - len(carry)]:
            yield whole
    if carry:
        yield carry
