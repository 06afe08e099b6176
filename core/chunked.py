"""Bodies without a Content-Length (RFC 9112, section 7.1), which Django's WSGI handler takes for empty."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def with_chunked_bodies(application: Application, *, max_bytes: int) -> Application:
    """The WSGI application behind a reader of chunked bodies, of at most `max_bytes` in memory.

    A longer one gets a Content-Length beyond the limit, so that the application refuses it like any other. Works where
    the server marks its input as terminated (`wsgi.input_terminated`), as gunicorn does.
    """

    def read_first(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "CONTENT_LENGTH" not in environ and environ.get("wsgi.input_terminated"):
            body = environ["wsgi.input"].read(max_bytes + 1)
            environ["CONTENT_LENGTH"] = str(len(body))
            environ["wsgi.input"] = BytesIO(body)
        return application(environ, start_response)

    return read_first
