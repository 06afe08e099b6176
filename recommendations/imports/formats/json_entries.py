"""JSON that is not one row per line: the entries of an array, or consecutive objects over several lines.

Splits the text at the ends of entries, which `json` parses. Only the current entry is in memory.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recommendations.imports.formats import lines as physical
from recommendations.imports.formats.read_options import UnreadableFile

_OUTSIDE = re.compile(rb'["{}\[\],]')
_STRING_END = re.compile(rb'["\\]')
_BLANK = b" \t\r\n" + physical.BOM


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry's text (None if it is too long), and its first line."""

    number: int
    text: bytes | None


class Entries:
    """The entries of one or more arrays (`array`), or the values of a sequence."""

    def __init__(self, blocks: Iterable[bytes], *, array: bool) -> None:
        self._blocks, self._array = blocks, array
        self._base = 1 if array else 0
        self._depth, self._line = 0, 1
        self._in_string = self._escaped = self._overlong = False
        self._kept: list[bytes] = []
        self._size = 0

    def __iter__(self) -> Iterator[Entry]:
        """Yields the entries in order.

        Raises: UnreadableFile for truncated or invalid JSON.
        """
        for block in self._blocks:
            yield from self._of_block(block)
        if self._depth or self._in_string:
            raise UnreadableFile(f"The JSON is truncated in line {self._line}: a bracket or string is never closed.")
        if entry := self._entry():
            yield entry

    def _of_block(self, block: bytes) -> Iterator[Entry]:
        at, begin = self._begin_of(block), 0
        while match := (_STRING_END if self._in_string else _OUTSIDE).search(block, at):
            at, sign = match.end(), match[0]
            if self._in_string:
                at = self._in_text(sign, at, len(block))
            elif sign == b'"':
                self._in_string = True
            elif sign in b"{[":
                self._depth += 1
                if self._array and self._depth == 1:
                    self._between(block[begin : at - 1], sign)
                    begin = at
            elif self._ends(sign):
                # A bracket that ends a value of a sequence belongs to it; a comma and the bracket of the array do not.
                self._keep(block[begin : at if sign != b"," and not self._array else at - 1])
                begin = at
                if entry := self._entry():
                    yield entry
        self._keep(block[begin:])

    def _begin_of(self, block: bytes) -> int:
        """The position to continue at: after a character that the end of the last block escaped."""
        if not self._escaped or not block:
            return 0
        self._escaped = False
        return 1

    def _in_text(self, sign: bytes, at: int, size: int) -> int:
        """Handles the end of a string, or an escape."""
        if sign == b'"':
            self._in_string = False
            return at
        self._escaped = at == size
        return at + 1

    def _ends(self, sign: bytes) -> bool:
        """True if this comma or closing bracket ends an entry."""
        if sign == b",":
            return self._depth == self._base
        self._depth -= 1
        if self._depth < 0:
            raise UnreadableFile(f"The JSON is damaged near line {self._line}: more brackets are closed than opened.")
        return self._depth == 0

    def _between(self, text: bytes, sign: bytes) -> None:
        """Rejects text outside the arrays."""
        self._keep(text)
        if sign != b"[" or b"".join(self._kept).strip(_BLANK + b","):
            raise UnreadableFile(f"The JSON is damaged near line {self._line}: text outside the array.")
        self._entry()

    def _keep(self, text: bytes) -> None:
        self._size += len(text)
        if self._size > physical.MAX_LINE:
            self._overlong = True
            self._line += sum(part.count(b"\n") for part in self._kept) + text.count(b"\n")
            self._kept = []
        elif text:
            self._kept.append(text)

    def _entry(self) -> Entry | None:
        """The entry collected so far, if any; starts the next one."""
        text, overlong, number = b"".join(self._kept), self._overlong, self._line
        self._kept, self._size, self._overlong = [], 0, False
        self._line += text.count(b"\n")
        if overlong:
            return Entry(number, None)
        value = text.strip(_BLANK)
        return Entry(number + text[: text.find(value[:1])].count(b"\n"), value) if value else None
