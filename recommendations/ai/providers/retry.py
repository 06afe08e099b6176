"""Retries within one total deadline.

Exponential backoff with full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015) on top of the vendor's
`Retry-After`. A wait that would leave no time for a useful attempt is not started: the caller gets the error at once.
"""

import dataclasses
import time
from dataclasses import dataclass

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from recommendations.ai.protocol import Completion, CompletionRequest, Provider, ProviderError


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Number and spacing of attempts; times in seconds."""

    attempts: int = 3
    base_seconds: float = 0.25
    cap_seconds: float = 4.0
    useful_seconds: float = 0.5
    """With less time than this, another attempt is not worth making."""

    def wait(self, state: RetryCallState) -> float:
        """Return the pause before the next attempt: what the server asks for, plus backoff with full jitter."""
        backoff = wait_random_exponential(multiplier=self.base_seconds, max=self.cap_seconds)(state)
        error = state.outcome.exception() if state.outcome else None
        return backoff + ((error.retry_after or 0.0) if isinstance(error, ProviderError) else 0.0)


class RetryingProvider:
    """Retries transient errors of a provider while the deadline allows.

    Unusable answers (`invalid`) are not asked for again: they were paid for, and another one would cost as much.
    """

    def __init__(self, provider: Provider, *, policy: RetryPolicy | None = None) -> None:
        self._provider = provider
        self._policy = policy or RetryPolicy()
        self.configured = provider.configured
        self.simulated = provider.simulated
        self.model = provider.model
        self.max_output_tokens = provider.max_output_tokens

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Answer within `deadline_seconds`, pauses included.

        Raises:
            ProviderError: the last attempt's.
        """
        ends = time.monotonic() + deadline_seconds
        latest_start = deadline_seconds - self._policy.useful_seconds
        attempts = Retrying(
            retry=retry_if_exception(_is_transient),
            wait=self._policy.wait,
            stop=stop_after_attempt(self._policy.attempts) | stop_before_delay(latest_start),
            reraise=True,
        )
        completion = attempts(lambda: self._provider.complete(request, deadline_seconds=ends - time.monotonic()))
        return dataclasses.replace(completion, attempts=attempts.statistics["attempt_number"])

    def close(self) -> None:
        """Close the provider."""
        self._provider.close()


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, ProviderError) and not error.permanent and error.reason != "invalid"
