"""The API as a customer's system sees it: one request at a time over HTTP, within a deadline."""

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

MAX_BODY_BYTES = 4 << 20
MOST_ERROR_CHARACTERS = 300
REQUEST_SECONDS = 10.0
"""The longest wait for a connection or for an answer: a region that is cut off shows after a few of these."""


class CheckFailed(Exception):
    """A step of a check did not go as it should. Its text has no secret, and is shown to staff."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response whose body was read completely."""

    status: int
    headers: Mapping[str, str]
    """With names in lower case."""
    body: bytes

    def json(self) -> Any:
        """The body, parsed.

        Raises: CheckFailed.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise CheckFailed(f"the answer ({self.status}) is not JSON") from error

    def problem(self) -> str:
        """The code of a problem document, or an empty text."""
        try:
            found = json.loads(self.body[:MAX_BODY_BYTES])
        except ValueError:
            return ""
        code = found.get("code", "") if isinstance(found, dict) else ""
        return code if isinstance(code, str) else ""


class Service:
    """The service at a base URL. All requests together end `seconds` after the creation."""

    def __init__(self, base_url: str, *, seconds: float, agent: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"{base_url!r} is not a URL such as https://docent.example.org")
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self._agent = agent
        self._ends = time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """The time until the deadline."""
        return self._ends - time.monotonic()

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        form: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one request on a connection of its own, and reads the answer.

        Raises: CheckFailed where there is none in time.
        """
        sent = {"User-Agent": self._agent, "Accept": "application/json", **(headers or {})}
        payload: bytes | None = None
        if form is not None:
            sent["Content-Type"], payload = "application/x-www-form-urlencoded", urlencode(form).encode()
        elif body is not None:
            sent["Content-Type"], payload = "application/json", json.dumps(body).encode()
        if token:
            sent["Authorization"] = f"Bearer {token}"
        left = self.seconds_left
        if left <= 0:
            raise CheckFailed(f"{method} {path}: no time left")
        connection = self._connect(min(left, REQUEST_SECONDS))
        try:
            connection.request(method, self._path + path, body=payload, headers=sent)
            response = connection.getresponse()
            content = response.read(MAX_BODY_BYTES)
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, content)
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise CheckFailed(f"{method} {path}: {reason}"[:MOST_ERROR_CHARACTERS]) from error
        finally:
            connection.close()

    def expect(self, status: int | tuple[int, ...], method: str, path: str, **request: Any) -> Answer:
        """As `call`.

        Raises: CheckFailed also for another status.
        """
        answer = self.call(method, path, **request)
        wanted = (status,) if isinstance(status, int) else status
        if answer.status not in wanted:
            code = answer.problem()
            raise CheckFailed(f"{method} {path}: {answer.status}{' ' + code if code else ''}, not {wanted[0]}")
        return answer

    def _connect(self, seconds: float) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        return http.client.HTTPSConnection(self._host, self._port, timeout=seconds, context=self._tls)


def segment(external_id: str) -> str:
    """An id as one segment of a path."""
    return quote(external_id, safe="")
