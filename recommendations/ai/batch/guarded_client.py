"""Circuit breaker and rate limiter before the batch interface: the same that questions asked one by one pass.

A batch is no question, so its calls prove nothing about a recovery: they never probe. While the breaker is open none is
made, and whoever wanted one comes back later; while it is closed their ends count as those of any other call. They take
their turns in the rate limiter as requests without tokens: what is in a file the vendor counts against another limit.
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
"""Of a call's time may be spent waiting for its turn."""


class CallDeferred(ProviderError):
    """No call was made: the breaker is open, or our own limits leave no room. It says nothing about the vendor."""


class GuardedBatchProvider:
    """A batch provider whose every call passes the gates."""

    def __init__(self, batches: BatchProvider, *, breaker: CircuitBreaker, rate_limiter: RateLimiter) -> None:
        self._batches = batches
        self._breaker = breaker
        self._rate_limiter = rate_limiter

    def check(self) -> None:
        """Ask whether calls are made at all at present.

        Raises:
            CallDeferred: the breaker is open.
        """
        try:
            self._breaker.acquire_without_probe()
        except ProviderError as refusal:
            raise _not_now(refusal) from refusal

    def upload(self, lines: bytes, *, key: str, deadline_seconds: float) -> str:
        """As `BatchProvider`, through the gates."""
        return self._through(lambda left: self._batches.upload(lines, key=key, deadline_seconds=left), deadline_seconds)

    def begin(self, file_id: str, *, key: str, deadline_seconds: float) -> BatchJob:
        """Likewise."""
        return self._through(
            lambda left: self._batches.begin(file_id, key=key, deadline_seconds=left), deadline_seconds
        )

    def find(self, key: str, *, deadline_seconds: float) -> BatchJob | None:
        """Likewise."""
        return self._through(lambda left: self._batches.find(key, deadline_seconds=left), deadline_seconds)

    def poll(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Likewise."""
        return self._through(lambda left: self._batches.poll(batch_id, deadline_seconds=left), deadline_seconds)

    def cancel(self, batch_id: str, *, deadline_seconds: float) -> BatchJob:
        """Likewise."""
        return self._through(lambda left: self._batches.cancel(batch_id, deadline_seconds=left), deadline_seconds)

    def read(self, file_id: str, *, deadline_seconds: float) -> bytes:
        """Likewise."""
        return self._through(lambda left: self._batches.read(file_id, deadline_seconds=left), deadline_seconds)

    def close(self) -> None:
        """Give connections back."""
        self._batches.close()

    def _through(self, call: Callable[[float], T], deadline_seconds: float) -> T:
        """Make one request, if every gate lets it pass; the deadline is that of waiting and calling together.

        Raises:
            CallDeferred: no call was made.
            ProviderError: the vendor failed.
        """
        ends = time.monotonic() + deadline_seconds
        with ExitStack() as turn:
            try:
                if deadline_seconds <= 0:
                    raise ProviderError("timeout", detail="no time was left in this step")
                permit = self._breaker.acquire_without_probe()
                wait = deadline_seconds * WAIT_SHARE
                turn.enter_context(self._rate_limiter.turn(tokens=0, wait_seconds=wait, call_seconds=deadline_seconds))
            except ProviderError as refusal:
                raise _not_now(refusal) from refusal
            try:
                answer = call(ends - time.monotonic())
            except ProviderError as error:
                if error.refused or not error.permanent:  # else the request is wrong, and not the vendor
                    self._breaker.record(permit, call_outcome(error, slow=False))
                raise
        self._breaker.record(permit, call_outcome(None, slow=False))
        return answer


def _not_now(refusal: ProviderError) -> CallDeferred:
    AI_BATCH_SKIPPED.labels(refusal.reason).inc()
    return CallDeferred(refusal.reason, permanent=True, detail=refusal.detail)
