"""A file's text in lines of UTF-8, for any encoding and line ending, each of at most MAX_LINE bytes.

Undecodable input becomes a byte that is invalid in UTF-8, so that it costs only its own row.
"""

import codecs
from collections.abc import Iterable, Iterator

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
