"""The circuit breaker in front of one provider's model, shared by all processes.

Its state lives in Redis (`shared_state`), its rules are pure functions (`circuit_state`). While Redis is away every
process has a breaker of its own, so each may probe.

`core.circuit_breaker` is another thing on purpose: it counts consecutive failures in one process, guards Redis and
PostgreSQL themselves, and so can neither share state nor afford to; this one measures shares of slow, throttled and
failed calls in a window, leases its probes, and is switched by staff.
"""

import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recommendations.ai.protocol import ProviderError
from recommendations.ai.resilience import circuit_state as rules
from recommendations.ai.resilience.circuit_state import (
    BreakerMode,
    BreakerPolicy,
    BreakerState,
    CallOutcome,
    OpenReason,
)
from recommendations.ai.resilience.shared_state import SharedState, StateView, Value

_RANDOM = random.SystemRandom()
LEASE_GRACE_SECONDS = 1.0
"""A lease outlives the deadline of its call by this, so that two probes never overlap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerEvent:
    """The breaker changed its state."""

    model: str
    before: BreakerMode
    after: BreakerMode
    why: OpenReason
    error: str
    probe_at: float
    """Seconds since the epoch; no call before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """State for operators; moments in seconds since the epoch."""

    mode: BreakerMode
    why: OpenReason
    changed_at: float
    probe_at: float
    error: str
    error_at: float
    shared: bool
    """False while Redis is away: this is then the process's own breaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """The right to make one call; it ends with `record` or `return_permit`."""

    token: str
    generation: int
    probe: bool


class CircuitBreaker:
    """Admits calls and records their outcomes. Safe among threads and processes."""

    def __init__(
        self,
        *,
        provider: str,
        model: str,
        policy: BreakerPolicy | None = None,
        hooks: Sequence[Callable[[BreakerEvent], None]] = (),
        jitter: Callable[[], float] = _RANDOM.random,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.model = model
        self.policy = policy or BreakerPolicy()
        self._state = SharedState(key=f"{{ai}}:breaker:{provider}:{model}", purpose="ai_breaker", clock=clock)
        self._hooks = hooks
        self._jitter = jitter

    def acquire(self, *, deadline_seconds: float) -> Permit:
        """Return the right to make one call of at most `deadline_seconds`.

        Raises:
            ProviderError: ``breaker``; nothing may be called now.
        """
        token = uuid.uuid4().hex

        def admit(view: StateView) -> tuple[Value | None, tuple[BreakerState, BreakerMode, bool]]:
            state = BreakerState.load(view.value)
            lease = deadline_seconds + LEASE_GRACE_SECONDS
            after, admitted = rules.admit(state, now=view.now, token=token, lease_seconds=lease)
            return _stored(after), (after or state, state.mode(view.now), admitted)

        state, mode, admitted = self._state.update(admit)
        if not admitted:
            raise ProviderError("breaker", permanent=True, detail=f"{mode} since {state.why}: {state.error}")
        return Permit(token=token, generation=state.generation, probe=mode != "closed")

    def acquire_without_probe(self) -> Permit:
        """Return the right to make one call that never probes; while half open it passes and its outcome is ignored.

        For calls of another kind than the guarded ones, whose recovery they cannot prove.

        Raises:
            ProviderError: ``breaker``; it is open.
        """
        reading, generation = self._state.update(lambda view: (None, _read(view)))
        if reading.mode == "open":
            raise ProviderError("breaker", permanent=True, detail=f"open since {reading.why}: {reading.error}")
        return Permit(token=uuid.uuid4().hex, generation=generation, probe=False)

    def record(self, permit: Permit, outcome: CallOutcome) -> None:
        """Record the outcome of a permitted call."""
        jitter = self._jitter()
        self._transition(
            lambda state, now: rules.record(
                state,
                outcome=outcome,
                token=permit.token,
                generation=permit.generation,
                now=now,
                policy=self.policy,
                jitter=jitter,
            )
        )

    def return_permit(self, permit: Permit) -> None:
        """Return a permit without a call, so that the next caller may probe."""
        if permit.probe:
            self._transition(lambda state, _now: rules.without_lease(state, token=permit.token))

    def state(self) -> BreakerStatus:
        """Return the current state, the last error and the next probe."""
        return self._state.update(lambda view: (None, _read(view)))[0]

    def open(self, *, seconds: float = float("inf"), note: str = "opened by hand") -> None:
        """Stop all calls for `seconds`; by default until `reset`, or until Redis is emptied."""
        self._transition(lambda state, now: rules.opened_manually(state, now=now, seconds=seconds, note=note))

    def reset(self) -> None:
        """Close it with an empty window."""
        self._transition(lambda state, now: rules.closed(state, now=now))

    def _transition(self, rule: Callable[[BreakerState, float], BreakerState | None]) -> None:
        def apply(view: StateView) -> tuple[Value | None, BreakerEvent]:
            before = BreakerState.load(view.value)
            after = rule(before, view.now)
            seen = after or before
            event = BreakerEvent(
                model=self.model,
                before=before.mode(view.now),
                after=seen.mode(view.now),
                why=seen.why,
                error=seen.error,
                probe_at=seen.probe_at,
            )
            return _stored(after), event

        event = self._state.update(apply)
        if event.before != event.after:
            for hook in self._hooks:
                hook(event)


def call_outcome(error: ProviderError | None, *, slow: bool) -> CallOutcome:
    """Return a call's outcome as the breaker counts it."""
    if error is None:
        return CallOutcome(slow=slow)
    throttled = error.reason == "throttled" and not error.refused
    return CallOutcome(
        failed=not throttled,
        slow=slow,
        throttled=throttled,
        refused=error.refused,
        retry_after=error.retry_after or 0.0,
        error=str(error),
    )


def _stored(state: BreakerState | None) -> Value | None:
    return None if state is None else state.dump()


def _read(view: StateView) -> tuple[BreakerStatus, int]:
    """Return the status for operators, and the generation."""
    state = BreakerState.load(view.value)
    reading = BreakerStatus(
        mode=state.mode(view.now),
        why=state.why,
        changed_at=state.changed_at,
        probe_at=state.probe_at if state.is_open else 0.0,
        error=state.error,
        error_at=state.error_at,
        shared=view.shared,
    )
    return reading, state.generation
