"""The OpenAI-compatible provider: the one module that imports the vendor's SDK.

The SDK's own retries are off (they sleep as long as a server's ``Retry-After`` says, up to two minutes each) and its
asynchronous client runs on a private loop, because only a task can be cancelled at a total deadline.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import openai

from recommendations.ai.batch_protocol import BatchJob
from recommendations.ai.config.dialect import request_body
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.protocol import Completion, CompletionRequest, ProviderError
from recommendations.ai.providers.deadlines import EventLoopThread
from recommendations.ai.providers.errors import error_from_response, parse
from recommendations.ai.providers.openai_responses import read_completion, read_vectors

T = TypeVar("T")
BATCH_KEY = "docent_key"
ERROR_BYTES = 65_536
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


class _OpenAI:
    """Connections of one process, and calls that end at their deadline with a `ProviderError` where they fail."""

    def __init__(self, config: AIConfiguration) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._session: _Session | None = None
        forget = weakref.WeakMethod(self._forget)
        os.register_at_fork(after_in_child=lambda: (method := forget()) and method())

    def _call(
        self,
        ask: Callable[[openai.AsyncOpenAI, openai.Timeout], Coroutine[Any, Any, T]],
        *,
        deadline_seconds: float,
        prompt: Sequence[str] = (),
    ) -> T:
        """Return what one request brings; ``prompt`` is what no error's words may repeat.

        Raises:
            ProviderError: timeout, refusal by the server or a broken connection.
        """
        if deadline_seconds <= 0:
            raise ProviderError("timeout", detail="no time left to begin a call")
        started = time.monotonic()
        try:
            session = self._open()
            left = deadline_seconds - (time.monotonic() - started)
            # Read and write timeouts are the whole of what is left: the total deadline is the loop's business.
            timeout = openai.Timeout(left, connect=min(CONNECT_SECONDS, left))
            return session.loop.run(ask(session.client, timeout), deadline_seconds=left)
        except TimeoutError as error:
            detail = f"no answer within {deadline_seconds:.1f} s"
            raise ProviderError("timeout", detail=detail, spend_unknown=True) from error
        except openai.APITimeoutError as error:
            detail = "connecting or reading timed out"
            raise ProviderError("timeout", detail=detail, spend_unknown=_was_sent(error)) from error
        except openai.APIStatusError as error:
            raise error_from_response(
                status=error.status_code,
                body=parse(error.response.content[:ERROR_BYTES]),
                headers=error.response.headers,
                prompt=prompt,
                key=self._config.api_key,
            ) from error
        except openai.OpenAIError as error:
            detail = f"{type(error).__name__}: no HTTP answer"
            raise ProviderError("error", detail=detail, spend_unknown=_was_sent(error)) from error

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


class OpenAIProvider(_OpenAI):
    """Asks chat completions for structured output; one HTTP request per call, never more."""

    configured = True

    def __init__(self, config: AIConfiguration) -> None:
        super().__init__(config)
        self.model = config.model
        self.simulated = config.simulated
        self.max_output_tokens = config.max_output_tokens

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Make one request and return its parsed answer within ``deadline_seconds``.

        Raises:
            ProviderError: timeout, refusal by the server, broken connection or an unusable answer.
        """
        started, body = time.monotonic(), self.body(request)
        answer = self._call(
            lambda client, timeout: _post(client, body=body, timeout=timeout),
            deadline_seconds=deadline_seconds,
            prompt=[each.content for each in request.messages],
        )
        return read_completion(
            answer.body,
            request=request,
            bound=self._bound(request),
            latency_seconds=time.monotonic() - started,
            request_id=answer.request_id,
        )

    def _bound(self, request: CompletionRequest) -> int:
        return min(request.max_output_tokens or self.max_output_tokens, self.max_output_tokens)

    def body(self, request: CompletionRequest) -> dict[str, Any]:
        """Return a request as the API takes it, alone or as a line of a batch."""
        return request_body(
            request,
            model=self.model,
            bound=self._bound(request),
            dialect=self._config.spoken,
            output=self._config.output,
            effort=self._config.reasoning_effort,
        )


class OpenAIEmbeddings(_OpenAI):
    """Makes vectors of texts: each message of a request is one text, the answer's content holds ``vectors``.

    It is a provider like the one for completions, so that the same gates, budget and ledger stand before it.
    """

    configured = True
    max_output_tokens = 0

    def __init__(self, config: AIConfiguration) -> None:
        super().__init__(config)
        self.model = config.embedding_model
        self.simulated = config.simulated

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Make one request and return its vectors within ``deadline_seconds``.

        Raises:
            ProviderError: timeout, refusal by the server, broken connection or an unusable answer.
        """
        started = time.monotonic()

        async def ask(client: openai.AsyncOpenAI, timeout: openai.Timeout) -> _Answer:
            answer = await client.embeddings.with_raw_response.create(
                model=self.model,
                input=[each.content for each in request.messages],
                dimensions=self._config.embedding_dimensions,
                encoding_format="float",
                timeout=timeout,
            )
            return _Answer(body=answer.http_response.content, request_id=answer.headers.get("x-request-id", ""))

        prompt = [each.content for each in request.messages]
        answer = self._call(ask, deadline_seconds=deadline_seconds, prompt=prompt)
        return read_vectors(
            answer.body,
            request=request,
            dimensions=self._config.embedding_dimensions,
            latency_seconds=time.monotonic() - started,
        )


class OpenAIBatches(_OpenAI):
    """The vendor's batch interface: a file of questions in, a file of answers out, within a day.

    Each call is one request, and raises `ProviderError` where the vendor refuses it or does not answer.
    """

    def upload(self, lines: bytes, *, key: str, deadline_seconds: float) -> str:
        """Upload the questions."""
        file = (f"{key}.jsonl", lines)
        made = self._ask(deadline_seconds, lambda client: client.files.create, file=file, purpose="batch")
        return str(made.id)

    def begin(self, file_id: str, *, key: str, deadline_seconds: float) -> BatchJob:
        """Begin a batch; where this fails, it may exist all the same (see `find`)."""
        return _job(
            self._ask(
                deadline_seconds,
                lambda client: client.batches.create,
                input_file_id=file_id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={BATCH_KEY: key},
            )
        )

    def find(self, key: str, *, deadline_seconds: float) -> BatchJob | None:
        """Return the batch that was begun under a key, among the latest hundred, or None."""
        page = self._ask(deadline_seconds, lambda client: client.batches.list, limit=100)
        found = (each for each in page.data if (each.metadata or {}).get(BATCH_KEY) == key)
        return next((_job(each) for each in found), None)

    def poll(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Return how far a batch is."""
        return _job(self._ask(deadline_seconds, lambda client: client.batches.retrieve, batch_id=batch_id))

    def cancel(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Ask the vendor to stop."""
        return _job(self._ask(deadline_seconds, lambda client: client.batches.cancel, batch_id=batch_id))

    def read(self, file_id: str, *, deadline_seconds: float) -> bytes:
        """Return a file's content."""
        answer = self._ask(deadline_seconds, lambda client: client.files.content, file_id=file_id)
        return bytes(answer.content)

    def _ask(self, deadline_seconds: float, method: Callable[[openai.AsyncOpenAI], Any], **given: Any) -> Any:
        """Return what one call of a method brings.

        Raises:
            ProviderError: it did not work in time.
        """

        async def ask(client: openai.AsyncOpenAI, timeout: openai.Timeout) -> Any:
            return await method(client)(**given, timeout=timeout)

        return self._call(ask, deadline_seconds=deadline_seconds)


def _job(batch: openai.types.Batch) -> BatchJob:
    errors = batch.errors.data if batch.errors and batch.errors.data else []
    return BatchJob(
        id=batch.id,
        status=batch.status,
        output_file=batch.output_file_id or "",
        error="; ".join(each.message or "" for each in errors)[:500],
    )


async def _post(client: openai.AsyncOpenAI, *, body: dict[str, Any], timeout: openai.Timeout) -> _Answer:
    answer = await client.chat.completions.with_raw_response.create(**body, timeout=timeout)
    return _Answer(body=answer.http_response.content, request_id=answer.headers.get("x-request-id", ""))


def _was_sent(error: openai.OpenAIError) -> bool:
    """Tell whether the request may have reached the server, which then may charge for it."""
    return not isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
