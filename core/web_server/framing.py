"""Framing of requests (RFC 9112, sections 2 to 7): finds the end of a request while its bytes arrive. Pure.

It does not judge: whatever is not plain goes to gunicorn's parser as it is, which refuses it in its own words. What it
does say must be what the parser finds, since the next request begins where this one is said to end; the worker holds
the two against each other.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_MAX_CHUNK_LINE = 8190
_MAX_TRAILERS = 65_536


class State(Enum):
    """Progress of a request."""

    HEAD = "the head is not complete"
    BODY = "the head is complete, the body is not"
    COMPLETE = "the request is complete; it ends at `end`"
    TOO_LONG = "the body is, or says that it is, longer than what is collected"
    ODD = "something that only the parser can judge, or refuse"


@dataclass(slots=True)
class Frame:
    """One request on its way in. `look` is called whenever its buffer has grown.

    `max_line` and `max_head` are the bytes of the request line and of all of the head; `most_body` says how much of a
    body is collected at a path.
    """

    max_line: int
    max_head: int
    most_body: Callable[[bytes], int]
    state: State = State.HEAD
    head_end: int = 0
    end: int = 0
    length: int | None = None  # as Content-Length has it
    chunked: bool = False
    expects_continue: bool = False
    max_body: int = 0
    _searched: int = 0
    _lone: int = 0  # line ends without a carriage return
    _data: int = 0  # bytes of the chunks so far

    def look(self, buffer: bytearray) -> State:
        """Returns the state after the bytes so far. COMPLETE, TOO_LONG and ODD are final."""
        if self.state is State.HEAD:
            self._look_for_head(buffer)
        if self.state is State.BODY:
            if self.chunked:
                self._look_for_last_chunk(buffer)
            elif len(buffer) >= self.end:
                self.state = State.COMPLETE
        return self.state

    def path(self, buffer: bytearray) -> bytes:
        """The path of the request line as it was sent, without its query; empty where there is none."""
        target = bytes(buffer[: self.max_line]).lstrip(b"\r\n").split(b"\r\n", 1)[0].split(b" ")
        return target[1].split(b"?", 1)[0] if len(target) == 3 else b""

    def _look_for_head(self, buffer: bytearray) -> None:
        found = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if found < 0:
            # Only what is new is counted: a head that comes byte by byte must not be read through for each of them.
            self._lone += buffer.count(b"\n", self._searched) - buffer.count(b"\r\n", max(0, self._searched - 1))
            self._searched = len(buffer)
            endless = len(buffer) > self.max_line + 4 and buffer.find(b"\n", 2) < 0
            if self._lone or endless or len(buffer) > self.max_head:
                self.state = State.ODD
            return
        self.head_end = self.end = found + 4
        named = [(name.lower(), value.strip()) for name, value in _FRAMING.findall(bytes(buffer[: found + 2]))]
        framing = [each for each in named if each[0] != b"expect"]
        self.expects_continue = (b"expect", b"100-continue") in [(name, value.lower()) for name, value in named]
        if not framing:
            self.state = State.COMPLETE
        elif len(framing) > 1:
            self.state = State.ODD
        else:
            self.max_body = self.most_body(self.path(buffer))
            self._frame_body(*framing[0])

    def _frame_body(self, name: bytes, value: bytes) -> None:
        if name == b"transfer-encoding":
            self.chunked = value.lower() == b"chunked"
            self.state = State.BODY if self.chunked else State.ODD
        elif value.isdigit() and len(value) < 19:
            self.length = int(value)
            self.end = self.head_end + self.length
            self.state = State.TOO_LONG if self.length > self.max_body else State.BODY
        else:
            self.state = State.ODD

    def _look_for_last_chunk(self, buffer: bytearray) -> None:
        """Goes on from chunk to chunk; `end` is where the next one begins."""
        if len(buffer) - self.head_end > 2 * self.max_body + _MAX_TRAILERS:  # mostly sizes and extensions
            self.state = State.TOO_LONG
            return
        while len(buffer) > self.end:
            size = _CHUNK_SIZE.match(buffer, self.end)
            if size is None:
                rest = bytes(buffer[self.end : self.end + _MAX_CHUNK_LINE])
                if b"\n" in rest or len(rest) == _MAX_CHUNK_LINE:
                    self.state = State.ODD
                return
            count = int(size[1], 16)
            if not count:
                self._look_for_trailers(buffer, size.end())
                return
            if self._data + count > self.max_body:
                # So much has to be there that whoever reads it sees that it is too long.
                if self._data + len(buffer) - size.end() > self.max_body:
                    self.state = State.TOO_LONG
                return
            after = size.end() + count
            if len(buffer) < after + 2:
                return
            if buffer[after : after + 2] != b"\r\n":
                self.state = State.ODD
                return
            self._data += count
            self.end = after + 2

    def _look_for_trailers(self, buffer: bytearray, start: int) -> None:
        if buffer[start : start + 2] == b"\r\n":
            self.end, self.state = start + 2, State.COMPLETE
        elif (found := buffer.find(b"\r\n\r\n", start)) >= 0:
            self.end, self.state = found + 4, State.COMPLETE
        elif len(buffer) - start > _MAX_TRAILERS:
            self.state = State.ODD
