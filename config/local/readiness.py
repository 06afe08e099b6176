"""Readiness of the web server."""

import http.client
import time
from collections.abc import Callable

from config.devservers.errors import DevServerError

_PROBE_SECONDS = 3.0
_POLL_SECONDS = 0.1


class NotReady(DevServerError):
    """The service did not get ready in time."""


def wait_until_ready(*, host: str, port: int, still_up: Callable[[], None], seconds: float = 90.0) -> None:
    """Return when `GET /readyz` answers 200. `still_up` is called again and again, and may raise.

    Raises: NotReady with the last answer.
    """
    deadline = time.monotonic() + seconds
    while True:
        still_up()
        status, answer = _probe(host=host, port=port)
        if status == http.client.OK:
            return
        if time.monotonic() > deadline:
            raise NotReady(f"The web server was not ready after {seconds:g} s. Its last answer: {answer}")
        time.sleep(_POLL_SECONDS)


def _probe(*, host: str, port: int) -> tuple[int, str]:
    """Status and body; 0 and the reason when there was no answer."""
    connection = http.client.HTTPConnection(host, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status, response.read(2000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        connection.close()
