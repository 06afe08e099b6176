"""Connections to an OpenAI-compatible server: the one module that imports the vendor's SDK.

The SDK's own retries are off: they sleep as long as `Retry-After` says, up to two minutes each. Its asynchronous client
runs on a private event loop, because only a task can be cancelled at a total deadline.
"""

import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import openai
from structlog.contextvars import get_contextvars

from core import tracing
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.protocol import ProviderError
from recommendations.ai.providers.deadlines import EventLoopThread
from recommendations.ai.providers.errors import error_from_response, parse_body

ERROR_BYTES = 65_536
CLIENT_REQUEST_ID = "X-Client-Request-Id"
"""OpenAI logs it: support finds a call by it that never got an answer."""
CONNECT_SECONDS = 2.0
"""A host that does not answer a SYN within this time is down; the rest of the deadline is left for a retry."""


class _Session:
    """An event loop and the client whose connections live on it. Belongs to one process."""

    def __init__(self, config: AIConfiguration) -> None:
        self.loop = EventLoopThread(name="openai")
        self.client = openai.AsyncOpenAI(
            api_key=config.api_key,
            base_url=config.base_url,
            max_retries=0,
            timeout=openai.Timeout(config.timeout_seconds, connect=CONNECT_SECONDS),
        )

    def close(self) -> None:
        self.loop.close(self.client.close())


class OpenAIClient:
    """Connections of one process, opened at the first call. Safe among threads and after a fork."""

    def __init__(self, config: AIConfiguration) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._session: _Session | None = None
        drop_session = weakref.WeakMethod(self._drop_session)
        os.register_at_fork(after_in_child=lambda: (method := drop_session()) and method())

    def call(
        self,
        method: Callable[[openai.AsyncOpenAI], Callable[..., Any]],
        *,
        deadline_seconds: float,
        prompt: Sequence[str] = (),
        **parameters: Any,
    ) -> Any:
        """Make one request and return the SDK's response; errors never quote `prompt`.

        Args:
            method: selects the SDK's method, such as `lambda client: client.files.create`.
            deadline_seconds: total time, connecting included.
            prompt: texts that error messages must not repeat.
            parameters: the method's arguments.

        Raises:
            ProviderError: timeout, refusal by the server or a broken connection.
        """
        if deadline_seconds <= 0:
            raise ProviderError("timeout", detail="no time left to begin a call")
        started = time.monotonic()
        try:
            session = self._open()
            left = deadline_seconds - (time.monotonic() - started)
            # Each read and write may take all of what is left: the event loop enforces the total deadline.
            timeout = openai.Timeout(left, connect=min(CONNECT_SECONDS, left))
            headers = {CLIENT_REQUEST_ID: _client_request_id()}
            request = method(session.client)(**parameters, extra_headers=headers, timeout=timeout)
            with tracing.span("openai", {"server.address": self._config.origin}, kind="client"):
                return session.loop.run(request, deadline_seconds=left)
        except TimeoutError as error:
            detail = f"no answer within {deadline_seconds:.1f} s"
            raise ProviderError("timeout", detail=detail, spend_unknown=True) from error
        except openai.APITimeoutError as error:
            detail = "connecting or reading timed out"
            raise ProviderError("timeout", detail=detail, spend_unknown=_may_be_charged(error)) from error
        except openai.APIStatusError as error:
            raise error_from_response(
                status=error.status_code,
                body=parse_body(error.response.content[:ERROR_BYTES]),
                headers=error.response.headers,
                prompt=prompt,
                key=self._config.api_key,
            ) from error
        except openai.OpenAIError as error:
            detail = f"{type(error).__name__}: no HTTP answer"
            raise ProviderError("error", detail=detail, spend_unknown=_may_be_charged(error)) from error

    def close(self) -> None:
        """Close the connections and end the thread; the next call opens new ones."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _open(self) -> _Session:
        with self._lock:
            if self._session is None:
                self._session = _Session(self._config)
            return self._session

    def _drop_session(self) -> None:
        # In a forked child the loop's thread does not exist, and the sockets are the parent's.
        self._lock = threading.Lock()
        self._session = None


def _client_request_id() -> str:
    """Return a new id that begins with the id of the request or task behind the call, as in our logs."""
    return f"{get_contextvars().get('request_id', '') or 'none'}.{secrets.token_hex(6)}"


def _may_be_charged(error: openai.OpenAIError) -> bool:
    """Return False only where the request cannot have reached the server."""
    return not isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
