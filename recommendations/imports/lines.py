"""A file's text in lines of UTF-8, whatever it is encoded in and however its lines end, none beyond MAX_LINE.

What cannot be decoded becomes a byte that no UTF-8 has, so that it costs the row in which it stands and no other.
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
    """The same text in UTF-8. UTF-8 is not looked into: each line is, where it is read."""
    if encoding == "utf-8":
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)(_UNDECODABLE)
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "surrogateescape")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")


def lines(blocks: Iterable[bytes], max_line: int | None = None) -> Iterator[bytes | None]:
    """Physical lines with their ends (LF, CR LF or CR alone); None for one that is longer than `max_line`."""
    limit = MAX_LINE if max_line is None else max_line
    kept: list[bytes] = []
    size, overlong = 0, False
    for block in _whole_ends(blocks):
        for line in block.splitlines(keepends=True):
            size += len(line)
            overlong = overlong or size > limit
            ended = line[-1] in b"\r\n"
            if overlong or not ended:
                kept = [] if overlong else [*kept, line]
                if ended:
                    yield None
                    size, overlong = 0, False
                continue
            yield b"".join([*kept, line]) if kept else line
            kept, size = [], 0
    if size:
        yield None if overlong else b"".join(kept)


def _whole_ends(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, none of the parts ending between CR and LF."""
    held = b""
    for block in blocks:
        whole = held + block
        held = b"\r" if whole.endswith(b"\r") else b""
        if whole := whole[: len(whole) - len(held)]:
            yield whole
    if held:
        yield held
