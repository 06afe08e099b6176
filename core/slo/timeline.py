"""The curves of a snapshot: indicators by steps of the window. A step without data has None."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from core.slo.indicators import SERVER_ERRORS, latency, matching
from core.slo.matchers import compile_matchers
from core.slo.sources import MINUTE, Increase, Window

MOST_STEPS = 120
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)
Values = list[float | None]


def step_of(window: Window) -> int:
    """The seconds of a step: the shortest of the usual ones that leaves at most MOST_STEPS."""
    minutes = next((each for each in _STEPS if window.minutes <= each * MOST_STEPS), _STEPS[-1])
    return minutes * MINUTE


class Timeline:
    """Curves over the steps of a window. Steps without a covered minute are gaps."""

    def __init__(self, window: Window, covered: Iterable[int]) -> None:
        self.step = step_of(window)
        self.starts = list(window.steps(self.step))
        self._start = window.start
        self._known = {self._step(minute) for minute in covered}

    def curve(self, observed: Iterable[Increase], value: Callable[[Sequence[Increase]], float | None]) -> Values:
        """The value of each step's rows; None in a gap."""
        rows: dict[int, list[Increase]] = {}
        for each in observed:
            rows.setdefault(self._step(each.at), []).append(each)
        return [value(rows.get(at, [])) if at in self._known else None for at in self.starts]

    def _step(self, at: int) -> int:
        return self._start + (at - self._start) // self.step * self.step


def total(rows: Sequence[Increase]) -> float:
    """The sum."""
    return sum(each.value for each in rows)


def highest(rows: Sequence[Increase]) -> float:
    """The highest value; 0 without any."""
    return max((each.value for each in rows), default=0.0)


def error_share(rows: Sequence[Increase]) -> float | None:
    """The share of server errors."""
    is_error = compile_matchers(SERVER_ERRORS)
    requests = total(rows)
    return sum(each.value for each in rows if is_error(each.labels)) / requests if requests else None


def percentile_of(name: str) -> Callable[[Sequence[Increase]], float | None]:
    """A percentile of the rows' observations: p50, p95 or p99."""

    def value(rows: Sequence[Increase]) -> float | None:
        found: float | None = getattr(latency(rows), name)
        return found

    return value


def ratio_curve(above: Values, below: Values) -> Values:
    """One curve divided by another; None where there is nothing to divide by."""
    return [None if one is None or not other else one / other for one, other in zip(above, below, strict=True)]


def curves(timeline: Timeline, data: dict[str, list[Increase]], *, valid: str, reads: str) -> dict[str, Any]:
    """Every curve of a snapshot, by name."""
    requests, listed = matching(data["requests"], valid), matching(data["requests"], reads)
    eligible, fallbacks = (timeline.curve(data[name], total) for name in ("ai_eligible", "ai_fallbacks"))
    lists = timeline.curve(data["lists"], total)
    degraded = timeline.curve(matching(data["lists"], 'degraded!="none"'), total)
    return {
        "requests": timeline.curve(requests, total),
        "error_share": timeline.curve(requests, error_share),
        **{f"reads_{name}": timeline.curve(listed, percentile_of(name)) for name in ("p50", "p95", "p99")},
        "degraded_share": ratio_curve(degraded, lists),
        "fallback_rate": ratio_curve(fallbacks, eligible),
        "ai_cost_usd": timeline.curve(data["ai_cost"], total),
        "redis_p95": timeline.curve(data["redis"], percentile_of("p95")),
        "queue_age": timeline.curve(data["queue_age"], highest),
    }
