"""Retries inside one total deadline.

Exponential backoff with full jitter (Brooker, "Exponential Backoff and Jitter", AWS 2015); the vendor's
``Retry-After`` is a lower bound of the wait. A wait that does not leave time for a useful attempt is not begun:
the caller gets the error at once, and its thread back.
"""

import dataclasses
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from recommendations.ai.protocol import Completion, CompletionRequest, Provider, ProviderError

_RANDOM = random.SystemRandom()


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how soon a call is tried again; times in seconds."""

    attempts: int = 3
    base_seconds: float = 0.25
    cap_seconds: float = 4.0
    useful_seconds: float = 0.5
    """Less time than this is not worth another attempt."""

    def wait(self, *, failures: int, retry_after: float | None, jitter: float) -> float:
        """Return the pause after the given number of failures (from 1); ``jitter`` is in [0, 1)."""
        backoff = jitter * min(self.cap_seconds, self.base_seconds * 2.0 ** (failures - 1))
        return (retry_after or 0.0) + backoff


class RetryingProvider:
    """Tries a provider again where that can help and the time allows.

    Unusable answers (``invalid``) are not asked for again: they were paid for, and another one would cost as much.
    """

    def __init__(
        self,
        provider: Provider,
        *,
        policy: RetryPolicy | None = None,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._provider = provider
        self._policy = policy or RetryPolicy()
        self._timer = timer
        self._sleep = sleep
        self._jitter = jitter

    @property
    def configured(self) -> bool:
        """Pass on the provider's answer."""
        return self._provider.configured

    @property
    def simulated(self) -> bool:
        """Pass on the provider's answer."""
        return self._provider.simulated

    @property
    def model(self) -> str:
        """Pass on the provider's model."""
        return self._provider.model

    @property
    def max_output_tokens(self) -> int:
        """Pass on the provider's bound."""
        return self._provider.max_output_tokens

    def complete(self, request: CompletionRequest, *, deadline_seconds: float) -> Completion:
        """Answer within ``deadline_seconds``, pauses included.

        Raises:
            ProviderError: the last attempt's.
        """
        started = self._timer()
        attempt = 0
        while True:
            attempt += 1
            left = deadline_seconds - (self._timer() - started)
            try:
                completion = self._provider.complete(request, deadline_seconds=left)
            except ProviderError as error:
                left = deadline_seconds - (self._timer() - started)
                pause = self._pause(error, attempt=attempt, left=left)
                if pause is None:
                    raise
            else:
                return dataclasses.replace(completion, attempts=attempt)
            self._sleep(pause)

    def close(self) -> None:
        """Close the provider underneath."""
        self._provider.close()

    def _pause(self, error: ProviderError, *, attempt: int, left: float) -> float | None:
        if error.permanent or error.reason == "invalid" or attempt >= self._policy.attempts:
            return None
        pause = self._policy.wait(failures=attempt, retry_after=error.retry_after, jitter=self._jitter())
        return pause if pause + self._policy.useful_seconds <= left else None
