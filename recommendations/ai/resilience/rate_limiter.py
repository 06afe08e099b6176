"""Keeps calls under the vendor's limits: requests and tokens per minute, and concurrent calls.

Rates follow the generic cell rate algorithm (`core.ratelimit.gcra`). A caller whose slot lies in the future books it
and sleeps until then, so rates are never polled. Concurrent calls are leases, which expire when their holder dies.
While Redis is away each process keeps to a share of the limits.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from core.ratelimit.gcra import next_arrival
from recommendations.ai.protocol import ProviderError
from recommendations.ai.resilience.shared_state import SharedState, StateView, Value

BURST_SHARE = 0.2
"""Share of a minute's limit allowed at once; the rest is spread, so that no 60 s window exceeds the limit."""
PROCESS_SHARE = 0.25
LEASE_GRACE_SECONDS = 1.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """The vendor's limits; 0 is unlimited."""

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrency: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A booked slot: seconds until it, or None where it would come too late; `full` asks to retry."""

    wait: float | None
    full: bool = False


class RateLimiter:
    """Books slots for calls. Safe among threads and processes."""

    def __init__(
        self,
        *,
        provider: str,
        model: str,
        limits: RateLimits,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.limits = limits
        self._state = SharedState(key=f"{{ai}}:throttle:{provider}:{model}", purpose="ai_throttle", clock=clock)
        self._timer = timer
        self._sleep = sleep

    @contextmanager
    def slot(self, *, tokens: int, wait_seconds: float, call_seconds: float) -> Iterator[None]:
        """Wait for a slot, at most `wait_seconds`, and hold it for the body, at most `call_seconds`.

        `tokens` is the vendor's count: the prompt plus the bound of the answer.

        Raises:
            ProviderError: `throttled`; the slot would come too late, or the call is larger than a minute's limit.
        """
        if self.limits == RateLimits():
            yield
            return
        self._refuse_too_large(tokens)
        token = uuid.uuid4().hex
        self._wait(token, tokens=tokens, wait_seconds=wait_seconds, call_seconds=call_seconds)
        try:
            yield
        finally:
            if self.limits.concurrency:
                self._state.update(lambda view: _without_lease(view, token))

    def _wait(self, token: str, *, tokens: int, wait_seconds: float, call_seconds: float) -> None:
        started = self._timer()
        while True:
            left = wait_seconds - (self._timer() - started)
            booking = self._state.update(
                lambda view, left=left: _book(  # type: ignore[misc]
                    view, limits=self.limits, token=token, tokens=tokens, patience=left, call_seconds=call_seconds
                )
            )
            if booking.wait is not None:
                if booking.wait > 0:
                    self._sleep(booking.wait)
                return
            if not booking.full or left <= 0:
                raise ProviderError(
                    "throttled", permanent=True, detail="our own limits leave no room before the deadline"
                )
            self._sleep(min(left, POLL_SECONDS * random.uniform(0.5, 1.5)))  # noqa: S311  # spreads pollers

    def _refuse_too_large(self, tokens: int) -> None:
        if self.limits.tokens_per_minute and tokens > self.limits.tokens_per_minute:
            raise ProviderError(
                "throttled",
                permanent=True,
                detail=f"one call may count {tokens} tokens, AI_TOKENS_PER_MINUTE is {self.limits.tokens_per_minute}",
            )


def _book(
    view: StateView, *, limits: RateLimits, token: str, tokens: int, patience: float, call_seconds: float
) -> tuple[Value | None, Booking]:
    """Take a lease and the next slot of both rates, or nothing at all."""
    share = 1.0 if view.shared else PROCESS_SHARE
    leases = {name: until for name, until in view.value.get("leases", {}).items() if until > view.now}
    if limits.concurrency and len(leases) >= max(1, int(limits.concurrency * share)):
        return None, Booking(wait=None, full=True)
    requests_at, requests_wait = _charge(view, "requests_at", limits.requests_per_minute * share, 1)
    tokens_at, tokens_wait = _charge(view, "tokens_at", limits.tokens_per_minute * share, tokens)
    wait = max(requests_wait, tokens_wait)
    if wait > max(patience, 0.0):
        return None, Booking(wait=None)
    if limits.concurrency:
        leases[token] = view.now + wait + call_seconds + LEASE_GRACE_SECONDS
    return {"leases": leases, "requests_at": requests_at, "tokens_at": tokens_at}, Booking(wait=wait)


def _charge(view: StateView, name: str, per_minute: float, amount: int) -> tuple[float, float]:
    """Return the theoretical arrival time after `amount` more, and the seconds until they fit."""
    if not per_minute:
        return view.now, 0.0
    return next_arrival(
        float(view.value.get(name, 0.0)),
        now=view.now,
        cost_seconds=60.0 * amount / (per_minute * (1 - BURST_SHARE)),
        burst_seconds=60.0 * BURST_SHARE / (1 - BURST_SHARE),
    )


def _without_lease(view: StateView, token: str) -> tuple[Value | None, None]:
    leases = {name: until for name, until in view.value.get("leases", {}).items() if name != token}
    return {**view.value, "leases": leases}, None
