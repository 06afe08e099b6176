"""One POST to one URL: pinned to the resolved address, without redirects, bounded in time and in bytes."""

import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException

from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from core import process_caches
from core.quoting import quoted
from core.webhooks.ssrf_guard import AddressRefused, Target, resolve

CONNECT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """Result of an attempt: a status, or the reason why there is none."""

    status: int | None
    error: str
    milliseconds: int

    def __post_init__(self) -> None:
        """The error may hold what the other side sent."""
        object.__setattr__(self, "error", quoted(self.error, 200))

    @property
    def delivered(self) -> bool:
        """Any 2xx; a redirect is none."""
        return self.status is not None and 200 <= self.status < 300


def post(url: str, *, body: bytes, headers: Mapping[str, str]) -> DeliveryResult:
    """Sends the message; never raises. Takes WEBHOOK_TIMEOUT_SECONDS and LOOK_UP_SECONDS at most."""
    started = time.monotonic()
    status, error = None, ""
    try:
        status = _send(resolve(url), body, headers)
        if 300 <= status < 400:
            error = "redirects are not followed"
    except AddressRefused as refusal:
        error = f"refused: {refusal}"
    except (HTTPError, HTTPException, OSError, ValueError) as failure:
        error = quoted(f"{type(failure).__name__}: {failure}", limit=200)
    return DeliveryResult(status, error, int((time.monotonic() - started) * 1000))


def _send(target: Target, body: bytes, headers: Mapping[str, str]) -> int:
    connection = _connection(target)
    # A server that sends a byte now and then would never run into a socket's time-out.
    cut = threading.Event()
    deadline = threading.Timer(settings.WEBHOOK_TIMEOUT_SECONDS, _cut, (connection, cut))
    deadline.daemon = True
    deadline.start()
    try:
        connection.request("POST", target.path, body, {"Host": target.host_header, **headers}, preload_content=False)
        status = connection.getresponse().status  # the body is nobody's business
        if cut.is_set():  # what came before looks like a short answer
            raise TimeoutError("no whole answer in time")
        return status
    finally:
        deadline.cancel()
        connection.close()


def _connection(target: Target) -> HTTPConnection:
    if not target.tls:
        connection = HTTPConnection(target.address, target.port, timeout=CONNECT_SECONDS)
    else:
        connection = HTTPSConnection(
            target.address,
            target.port,
            timeout=CONNECT_SECONDS,
            ssl_context=_context(),
            server_hostname=target.host,
            assert_hostname=target.host,
        )
    connection.connect()
    if connection.sock is not None:
        connection.sock.settimeout(settings.WEBHOOK_TIMEOUT_SECONDS)
    return connection


def _cut(connection: HTTPConnection, cut: threading.Event) -> None:
    cut.set()
    if connection.sock is not None:
        try:
            connection.sock.shutdown(2)
        except OSError:
            return  # it is over already


@process_caches.clearable
@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()
