"""The rules of the circuit breaker as pure functions of its state (Nygard, "Release It!", 2nd ed. 2018, chapter 5).

Closed: outcomes are counted in a sliding window, and too large a share of bad ones opens it. Open: nothing passes
until a moment that moves further away with each opening in a row. Then one caller at a time holds a lease to probe:
its success closes the breaker, its failure opens it again, and a prober that dies loses the lease.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from core.quoting import quoted

BreakerMode = Literal["closed", "open", "half_open"]
OpenReason = Literal["", "failures", "slowness", "throttling", "refused", "probe", "manual"]

SLOTS = 10
"""Counters that the window is divided into; the oldest falls out as a whole."""
ERROR_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """Thresholds and durations; times in seconds, shares of the calls in the window.

    The defaults close it again within 30 s of a recovery: a probe that hangs takes the call's deadline of 20 s at
    most, and the next one follows after at most `cap_seconds`.
    """

    window_seconds: float = 30.0
    minimum_calls: int = 5
    failure_share: float = 0.5
    slow_seconds: float = 15.0
    slow_share: float = 0.8
    throttled_share: float = 0.3
    open_seconds: float = 2.0
    cap_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name in ("failure_share", "slow_share", "throttled_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; give a share above 0 and at most 1")
        if self.minimum_calls < 1 or min(self.window_seconds, self.slow_seconds, self.open_seconds) <= 0:
            raise ValueError("minimum_calls, window_seconds, slow_seconds and open_seconds must be above 0")
        if self.cap_seconds < self.open_seconds:
            raise ValueError(f"cap_seconds is {self.cap_seconds}; give at least open_seconds ({self.open_seconds})")

    def open_for(self, *, openings: int, retry_after: float, jitter: float) -> float:
        """Return the seconds to stay open: doubling with each opening in a row, the upper half by chance.

        What the vendor asks for is honoured up to the cap: a single probe after that does no harm, and the
        recovery is not missed for minutes. `jitter` is in [0, 1).
        """
        growing: float = min(self.cap_seconds, self.open_seconds * 2.0 ** min(openings - 1, 30))
        return max(growing * (0.5 + jitter / 2), min(retry_after, self.cap_seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Outcomes of one part of the window."""

    at: int = -1
    """Number of the part since the epoch."""
    calls: int = 0
    failed: int = 0
    slow: int = 0
    throttled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """The breaker's whole state; moments in seconds since the epoch."""

    is_open: bool = False
    generation: int = 0
    """Grows with every opening and closing: outcomes of calls that began before do not count."""
    slots: tuple[Slot, ...] = ()
    openings: int = 0
    """In a row, without a success between."""
    changed_at: float = 0.0
    probe_at: float = 0.0
    """One caller at a time may probe from then on; infinite after a manual opening without an end."""
    lease: str = ""
    lease_until: float = 0.0
    why: OpenReason = ""
    error: str = ""
    """The last error and its time."""
    error_at: float = 0.0

    def mode(self, now: float) -> BreakerMode:
        """Name the state at a moment."""
        if not self.is_open:
            return "closed"
        return "half_open" if now >= self.probe_at else "open"

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> "BreakerState":
        """Read the stored form; an empty one is a closed breaker."""
        slots = tuple(Slot(**each) for each in value.get("slots", ()))
        return cls(**{**value, "slots": slots})

    def dump(self) -> dict[str, Any]:
        """Return the stored form."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOutcome:
    """Outcome of one call."""

    failed: bool = False
    slow: bool = False
    throttled: bool = False
    refused: bool = False
    """The key or the account is refused, so every call is: opens at once."""
    retry_after: float = 0.0
    error: str = ""

    @property
    def bad(self) -> bool:
        """True where the call brought no answer."""
        return self.failed or self.throttled or self.refused


def admit(state: BreakerState, *, now: float, token: str, lease_seconds: float) -> tuple[BreakerState | None, bool]:
    """Return the new state (None: unchanged) and whether the caller may call; in half-open it then holds the lease."""
    mode = state.mode(now)
    if mode == "closed":
        return None, True
    if mode == "open" or (state.lease and now < state.lease_until):
        return None, False
    return replace(state, lease=token, lease_until=now + lease_seconds), True


def without_lease(state: BreakerState, *, token: str) -> BreakerState | None:
    """Return the state without the lease of a prober that made no call."""
    return replace(state, lease="", lease_until=0.0) if state.lease == token else None


def record(
    state: BreakerState,
    *,
    outcome: CallOutcome,
    token: str,
    generation: int,
    now: float,
    policy: BreakerPolicy,
    jitter: float,
) -> BreakerState | None:
    """Return the state after a call, or None where the call says nothing about the present."""
    if state.is_open:
        return _after_probe(state, outcome, now, policy, jitter) if token == state.lease else None
    if generation != state.generation:
        return None
    noted = _note(state, outcome, now, policy)
    why = _trips(noted, outcome, now, policy)
    return _opened(noted, why, outcome, now, policy, jitter) if why else noted


def opened_manually(state: BreakerState, *, now: float, seconds: float, note: str) -> BreakerState:
    """Return the state opened manually for `seconds`, which may be infinite."""
    return replace(
        state,
        is_open=True,
        generation=state.generation + 1,
        changed_at=now,
        probe_at=now + seconds,
        lease="",
        lease_until=0.0,
        why="manual",
        error=quoted(note, ERROR_LIMIT),
        error_at=now,
    )


def closed(state: BreakerState, *, now: float) -> BreakerState:
    """Return the state closed with an empty window; the last error is kept for display."""
    return BreakerState(
        generation=state.generation + 1, changed_at=now, error=state.error, error_at=state.error_at, why=""
    )


def _after_probe(
    state: BreakerState, outcome: CallOutcome, now: float, policy: BreakerPolicy, jitter: float
) -> BreakerState:
    if not outcome.bad:
        return closed(state, now=now)
    return _opened(state, "refused" if outcome.refused else "probe", outcome, now, policy, jitter)


def _opened(
    state: BreakerState, why: OpenReason, outcome: CallOutcome, now: float, policy: BreakerPolicy, jitter: float
) -> BreakerState:
    openings = state.openings + 1
    stays = policy.open_for(openings=openings, retry_after=outcome.retry_after, jitter=jitter)
    return replace(
        state,
        is_open=True,
        generation=state.generation + 1,
        slots=(),
        openings=openings,
        changed_at=now,
        probe_at=now + stays,
        lease="",
        lease_until=0.0,
        why=why,
        error=quoted(outcome.error or state.error, ERROR_LIMIT),
        error_at=now,
    )


def _note(state: BreakerState, outcome: CallOutcome, now: float, policy: BreakerPolicy) -> BreakerState:
    at = int(now / (policy.window_seconds / SLOTS))
    # A clock that was set back leaves slots in the future: they go.
    kept = [each for each in state.slots if at - SLOTS < each.at <= at]
    last = kept.pop() if kept and kept[-1].at == at else Slot(at=at)
    counted = replace(
        last,
        calls=last.calls + 1,
        failed=last.failed + outcome.failed,
        slow=last.slow + outcome.slow,
        throttled=last.throttled + outcome.throttled,
    )
    noted = replace(state, slots=(*kept, counted))
    return replace(noted, error=quoted(outcome.error, ERROR_LIMIT), error_at=now) if outcome.bad else noted


def _trips(state: BreakerState, outcome: CallOutcome, now: float, policy: BreakerPolicy) -> OpenReason:
    if outcome.refused:
        return "refused"
    calls = _sum(state.slots, "calls")
    if calls < policy.minimum_calls:
        return ""
    shares: tuple[tuple[OpenReason, str, float], ...] = (
        ("throttling", "throttled", policy.throttled_share),
        ("failures", "failed", policy.failure_share),
        ("slowness", "slow", policy.slow_share),
    )
    return next((why for why, name, share in shares if _sum(state.slots, name) >= share * calls), "")


def _sum(slots: Sequence[Slot], name: str) -> int:
    return sum(getattr(each, name) for each in slots)
