"""JSON that is not a row a line: the entries of an array, or objects one after the other over several lines.

It is cut where entries end; what each of them says, json reads. Nothing is held but the current entry.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recommendations.imports import lines as physical
from recommendations.imports.read_options import UnreadableFile

_OUTSIDE = re.compile(rb'["{}\[\],]')
_STRING_END = re.compile(rb'["\\]')
_BLANK = b" \t\r\n" + physical.BOM


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry's text, and the line at which it begins; None for one that is too long."""

    number: int
    text: bytes | None


class Entries:
    """The entries of an array (`array`), or the values of a sequence. Arrays may follow each other."""

    def __init__(self, blocks: Iterable[bytes], *, array: bool) -> None:
        self._blocks, self._array = blocks, array
        self._base = 1 if array else 0
        self._depth, self._line = 0, 1
        self._in_string = self._escaped = self._overlong = False
        self._kept: list[bytes] = []
        self._size = 0

    def __iter__(self) -> Iterator[Entry]:
        """The entries in their order.

        Raises: UnreadableFile where the JSON breaks off, or is none.
        """
        for block in self._blocks:
            yield from self._of_block(block)
        if self._depth or self._in_string:
            raise UnreadableFile(
                f"The JSON breaks off in line {self._line}: something that was opened is never closed."
            )
        if entry := self._entry():
            yield entry

    def _of_block(self, block: bytes) -> Iterator[Entry]:
        at, begin = self._begin_of(block), 0
        while found := (_STRING_END if self._in_string else _OUTSIDE).search(block, at):
            at, sign = found.end(), found[0]
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
                # A bracket that ends a value of a sequence is its own; a comma and the array's bracket are not.
                self._keep(block[begin : at if sign != b"," and not self._array else at - 1])
                begin = at
                if entry := self._entry():
                    yield entry
        self._keep(block[begin:])

    def _begin_of(self, block: bytes) -> int:
        """Where to go on: behind a sign that the last block's end escaped."""
        if not self._escaped or not block:
            return 0
        self._escaped = False
        return 1

    def _in_text(self, sign: bytes, at: int, size: int) -> int:
        """Within a string: its end, or a sign that the next is not to be looked at."""
        if sign == b'"':
            self._in_string = False
            return at
        self._escaped = at == size
        return at + 1

    def _ends(self, sign: bytes) -> bool:
        """Whether an entry ends with this comma or closing bracket."""
        if sign == b",":
            return self._depth == self._base
        self._depth -= 1
        if self._depth < 0:
            raise UnreadableFile(f"The JSON is damaged near line {self._line}: more is closed than was opened.")
        return self._depth == 0

    def _between(self, text: bytes, sign: bytes) -> None:
        """What stands before an array's beginning must be nothing."""
        self._keep(text)
        if sign != b"[" or b"".join(self._kept).strip(_BLANK + b","):
            raise UnreadableFile(f"The JSON is damaged near line {self._line}: something stands beside the array.")
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
        """What was kept so far, if it is anything; begins the next."""
        text, overlong, number = b"".join(self._kept), self._overlong, self._line
        self._kept, self._size, self._overlong = [], 0, False
        self._line += text.count(b"\n")
        if overlong:
            return Entry(number, None)
        value = text.strip(_BLANK)
        return Entry(number + text[: text.find(value[:1])].count(b"\n"), value) if value else None
