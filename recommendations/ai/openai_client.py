"""The OpenAI-compatible provider: the one module that imports the vendor's SDK.

The SDK's own retries are off (they sleep as long as a server's ``Retry-After`` says, up to two minutes each) and its
asynchronous client runs on a private loop, because only a task can be cancelled at a total deadline.
"""

import os
import threading
import time
import weakref
from dataclasses import dataclass
from typing import Any

import httpx2
import openai

from recommendations.ai.configuration import AIConfiguration
from recommendations.ai.event_loop import EventLoopThread
from recommendations.ai.openai_answers import failure, read_completion
from recommendations.ai.provider import Completion, CompletionRequest, ProviderError

CONNECT_SECONDS = 2.0
"""A host that does not answer a SYN in this time is down; the rest of the deadline is left for a retry."""


class _Session:
    """A loop and the client whose connections live on it; belongs to one process."""

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


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    request_id: str


class OpenAIProvider:
    """Asks chat completions for structured output; one HTTP request per call, never more."""

    configured = True

    def __init__(self, config: AIConfiguration) -> None:
        self.model = config.model
        self.simulated = config.simulated
        self.max_output_tokens = config.max_output_tokens
        self._config = config
        self._lock = threading.Lock()
        self._session: _Session | None = None
        forget = weakref.WeakMethod(self._forget)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Make one request and return its parsed answer within ``deadline_seconds``.

        Raises:
            ProviderError: timeout, refusal by the server, broken connection or an unusable answer.
        """
        if deadline_seconds <= 0:
            raise ProviderError("timeout", detail="no time left to begin a call")
        started = time.monotonic()
        try:
            session = self._open()
            left = deadline_seconds - (time.monotonic() - started)
            answer = session.loop.run(
                _post(session.client, body=self._body(request), seconds=left), deadline_seconds=left
            )
        except TimeoutError as error:
            detail = f"no answer within {deadline_seconds:.1f} s"
            raise ProviderError("timeout", detail=detail, spend_unknown=True) from error
        except openai.APITimeoutError as error:
            detail = "connecting or reading timed out"
            raise ProviderError("timeout", detail=detail, spend_unknown=_was_sent(error)) from error
        except openai.APIStatusError as error:
            raise failure(
                status=error.status_code, code=error.code, kind=error.type, headers=error.response.headers
            ) from error
        except openai.OpenAIError as error:
            detail = f"{type(error).__name__}: no HTTP answer"
            raise ProviderError("error", detail=detail, spend_unknown=_was_sent(error)) from error
        return read_completion(
            answer.body,
            request=request,
            bound=self._bound(request),
            latency_seconds=time.monotonic() - started,
            request_id=answer.request_id,
        )

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

    def _forget(self) -> None:
        # In a forked child the loop's thread does not exist and the sockets are the parent's.
        self._lock = threading.Lock()
        self._session = None

    def _bound(self, request: CompletionRequest) -> int:
        return min(request.max_output_tokens or self.max_output_tokens, self.max_output_tokens)

    def _body(self, request: CompletionRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": each.role, "content": each.content} for each in request.messages],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": request.schema_name, "strict": True, "schema": dict(request.schema)},
            },
            "max_completion_tokens": self._bound(request),
            # What people liked is not to be kept by the vendor.
            "store": False,
        }
        if self._config.reasoning_effort:
            body["reasoning_effort"] = self._config.reasoning_effort
        return body


async def _post(client: openai.AsyncOpenAI, *, body: dict[str, Any], seconds: float) -> _Answer:
    # Read and write timeouts are the whole of what is left: the total deadline is the loop's business.
    timeout = openai.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds))
    answer = await client.chat.completions.with_raw_response.create(**body, timeout=timeout)
    return _Answer(body=answer.http_response.content, request_id=answer.headers.get("x-request-id", ""))


def _was_sent(error: openai.OpenAIError) -> bool:
    """Tell whether the request may have reached the server, which then may charge for it."""
    return not isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
