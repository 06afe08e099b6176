"""Request bodies as HTTP defines them (RFC 9112): chunked, and complete; Django's WSGI handler supports neither."""

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from typing import Any

from core import deadline

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class BodyEndedEarly(OSError):
    """The connection ended before Content-Length bytes arrived."""


class BodyTooLong(OSError):
    """The body is longer than the path accepts."""


class _FixedLengthBody:
    """A WSGI input that never presents a part as the whole (RFC 9112, section 8)."""

    def __init__(self, stream: Any, length: int) -> None:
        self._stream, self._left = stream, length

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        with deadline.paused():
            data: bytes = self._stream.read(wanted) if wanted else b""
        self._left -= len(data)
        if len(data) < wanted:
            raise BodyEndedEarly(f"{self._left} bytes of the body are missing")
        return data

    def readline(self, size: int = -1) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        with deadline.paused():
            data: bytes = self._stream.readline(wanted) if wanted else b""
        self._left -= len(data)
        if len(data) < wanted and not data.endswith(b"\n"):
            raise BodyEndedEarly(f"{self._left} bytes of the body are missing")
        return data


class _ChunkedBody:
    """A chunked body of unknown length, passed on as it arrives. One that is too long is aborted."""

    def __init__(self, stream: Any, max_bytes: int) -> None:
        self._stream, self._left = stream, max_bytes

    def read(self, size: int = -1) -> bytes:
        with deadline.paused():  # the server holds the client to its pace
            data = self._stream.read(self._left + 1 if size is None or size < 0 else size)
        return self._counted(data)

    def readline(self, size: int = -1) -> bytes:
        with deadline.paused():
            data = self._stream.readline(self._left + 1 if size is None or size < 0 else size)
        return self._counted(data)

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        # The application stops at the length that it was given: only this class can notice what follows.
        if self._left < 0 or (self._left == 0 and data and self._stream.read(1)):
            raise BodyTooLong("the body is longer than allowed")
        return data


def with_whole_bodies(
    application: Application, *, max_bytes: Callable[[str], int], large: Mapping[str, int] | None = None
) -> Application:
    """The WSGI application behind a reader of chunked bodies and of whole bodies.

    `max_bytes` says how much of a chunked one is taken into memory at a path.

    `large` are paths that take longer ones, which are handed on as they come: the length that the application is told
    is the most that may come, and the body ends where it ends.

    A longer chunked one gets a Content-Length beyond the limit, so that the application refuses it like any other. It
    works where the server marks its input as terminated (`wsgi.input_terminated`), as gunicorn does. One that ends
    early raises BodyEndedEarly where it is read.
    """

    def read_first(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH", "")
        most = (large or {}).get(environ.get("PATH_INFO", ""))
        if not length and most is not None and environ.get("wsgi.input_terminated"):
            environ["CONTENT_LENGTH"] = str(most)
            environ["wsgi.input"] = _ChunkedBody(environ["wsgi.input"], most)
        elif not length and environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read(max_bytes(environ.get("PATH_INFO", "")) + 1)
            environ["CONTENT_LENGTH"] = str(len(body))
            environ["wsgi.input"] = BytesIO(body)
        elif length.isascii() and length.isdigit():
            environ["wsgi.input"] = _FixedLengthBody(environ["wsgi.input"], int(length))
        return application(environ, start_response)

    return read_first
