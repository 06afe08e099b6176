"""A caller over HTTP that keeps its connection, one for each thread."""

import http.client
import json
from types import TracebackType
from typing import Any, Self

from config.devservers.ports import LOOPBACK


class Caller:
    """Calls of one API client; not to be shared by threads."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=15)
        self._token = token

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def get(self, path: str) -> Any:
        """The answer's JSON."""
        return self.call("GET", path)

    def call(self, method: str, path: str, body: Any = None, *, but: int = 0) -> Any:
        """The answer's JSON; None for an empty one, and for status `but`. Fails for anything else but a 2xx."""
        sent = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._connection.request(method, f"/api/v1{path}", body=sent, headers=headers)
        response = self._connection.getresponse()
        raw = response.read()
        if response.status == but:
            return None
        assert response.status < 300, f"{method} {path}: {response.status} {raw[:500]!r}"
        return json.loads(raw) if raw else None
