"""A batch client behind the circuit breaker and the rate limiter of single calls.

Batch calls never probe a half-open breaker: their success says nothing about completions. While the breaker is closed
their outcomes count like any other. They take rate-limiter slots without tokens, because vendors count the tokens of a
batch against a separate limit.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from recommendations.ai.batch_protocol import BatchJob, BatchProvider
from recommendations.ai.metrics import AI_BATCH_SKIPPED
from recommendations.ai.protocol import ProviderError
from recommendations.ai.resilience.circuit_breaker import CircuitBreaker, call_outcome
from recommendations.ai.resilience.rate_limiter import RateLimiter

T = TypeVar("T")
WAIT_SHARE = 0.5
"""Share of a call's deadline that may be spent waiting for the rate limiter."""


class CallDeferred(ProviderError):
    """No call was made: the breaker is open or our own limits leave no room. It says nothing about the vendor."""


class GuardedBatchProvider:
    """A `BatchProvider` whose calls pass the guards; each may raise `CallDeferred` or `ProviderError`."""

    def __init__(self, batches: BatchProvider, *, breaker: CircuitBreaker, rate_limiter: RateLimiter) -> None:
        self._batches = batches
        self._breaker = breaker
        self._rate_limiter = rate_limiter

    def check(self) -> None:
        """Refuse early while the breaker is open.

        Raises:
            CallDeferred: it is open.
        """
        try:
            self._breaker.acquire_without_probe()
        except ProviderError as refusal:
            raise _deferred(refusal) from refusal

    def upload(self, lines: bytes, *, key: str, deadline_seconds: float) -> str:
        """Upload the input file; return its id."""
        return self._call(lambda left: self._batches.upload(lines, key=key, deadline_seconds=left), deadline_seconds)

    def begin(self, file_id: str, *, key: str, deadline_seconds: float) -> BatchJob:
        """Start a batch over an uploaded file."""
        return self._call(lambda left: self._batches.begin(file_id, key=key, deadline_seconds=left), deadline_seconds)

    def find(self, key: str, *, deadline_seconds: float) -> BatchJob | None:
        """Return the batch that was started under a key, or None."""
        return self._call(lambda left: self._batches.find(key, deadline_seconds=left), deadline_seconds)

    def poll(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Return a batch's status."""
        return self._call(lambda left: self._batches.poll(batch_id, deadline_seconds=left), deadline_seconds)

    def cancel(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Cancel a batch."""
        return self._call(lambda left: self._batches.cancel(batch_id, deadline_seconds=left), deadline_seconds)

    def read(self, file_id: str, *, deadline_seconds: float) -> bytes:
        """Return a file's content."""
        return self._call(lambda left: self._batches.read(file_id, deadline_seconds=left), deadline_seconds)

    def close(self) -> None:
        """Close the connections."""
        self._batches.close()

    def _call(self, call: Callable[[float], T], deadline_seconds: float) -> T:
        """Make one request within the deadline, waiting included.

        Raises:
            CallDeferred: no call was made.
            ProviderError: the vendor failed.
        """
        ends = time.monotonic() + deadline_seconds
        with ExitStack() as slot:
            try:
                if deadline_seconds <= 0:
                    raise ProviderError("timeout", detail="no time was left in this step")
                permit = self._breaker.acquire_without_probe()
                wait = deadline_seconds * WAIT_SHARE
                slot.enter_context(self._rate_limiter.slot(tokens=0, wait_seconds=wait, call_seconds=deadline_seconds))
            except ProviderError as refusal:
                raise _deferred(refusal) from refusal
            try:
                answer = call(ends - time.monotonic())
            except ProviderError as error:
                # A permanent error that is no refusal is our malformed request, not the vendor's failure.
                if error.refused or not error.permanent:
                    self._breaker.record(permit, call_outcome(error, slow=False))
                raise
        self._breaker.record(permit, call_outcome(None, slow=False))
        return answer


def _deferred(refusal: ProviderError) -> CallDeferred:
    AI_BATCH_SKIPPED.labels(refusal.reason).inc()
    return CallDeferred(refusal.reason, permanent=True, detail=refusal.detail)
