"""Errors that the web server returns before there is a request, as problem documents."""

import json
import secrets
from http import HTTPStatus
from typing import Any

from gunicorn import util

from core.http import problem

_DETAILS = {
    408: "The request did not arrive in time; send it again.",
    414: "The address is longer than 8,190 bytes. Long lists of ids go through a batch.",
    417: "Only `Expect: 100-continue` is known.",
    431: "A header is longer than 8,190 bytes, or there are more than a hundred.",
    503: "Too many long requests are arriving at once; try again in a moment.",
    501: "Unknown transfer coding of the body; send it chunked or with a Content-Length.",
}
_RETRY_AFTER = "Retry-After: 2\r\n"


def write(sock: Any, status: int, reason: str, message: str) -> None:
    """Replaces `gunicorn.util.write_error`, which writes HTML. The connection is closed afterwards."""
    told = _DETAILS.get(status, "") or (problem.printable(message) if status < 500 else "")
    request_id = secrets.token_hex(12)
    body = problem.document(
        status=status,
        code=problem.code_for_status(status),
        detail=told or HTTPStatus(status).phrase,
        request=None,
        request_id=request_id,
    )
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\n"
        "Connection: close\r\n"
        f"Content-Type: {problem.CONTENT_TYPE}\r\n"
        f"Content-Length: {len(content)}\r\n"
        "Cache-Control: no-store\r\n"
        f"{_RETRY_AFTER if status == 503 else ''}"
        f"X-Request-ID: {request_id}\r\n\r\n"
    )
    util.write_nonblock(sock, head.encode("latin-1") + content)
