"""A snapshot of the service level indicators over a window, as a document for JSON and for the page."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from core.slo import timeline
from core.slo.indicators import (
    Worst,
    endpoints,
    latency,
    matching,
    objective_state,
    queue_ages,
    sums_by,
    worst_minutes,
)
from core.slo.objectives import Objective, Objectives
from core.slo.percentiles import share_within
from core.slo.sources import MINUTE, Increase, Source, Window
from core.slo.timeline import Timeline

OBSERVED, SIMULATED = "observed", "simulated"
STRETCH_SECONDS = 0.078
_COUNTERS = ("lists", "ai_calls", "ai_eligible", "ai_fallbacks", "ai_cost")
_HISTOGRAMS = ("requests", "redis")
Document = dict[str, Any]


def take(source: Source, objectives: Objectives, window: Window, *, now: datetime, simulated: bool) -> Document:
    """Measures everything over the window.

    The document says how the traffic came about, which minutes of the window the source has, and which it lacks.
    Raises: whatever the source raises; ValueError if an objective's seconds are no bound of the histogram.
    """
    covered = source.covered(window)
    curves = Timeline(window, covered)
    data: dict[str, list[Increase]] = {
        **{name: list(source.histograms(name, window, step=curves.step)) for name in _HISTOGRAMS},
        **{name: list(source.increases(name, window, step=curves.step)) for name in _COUNTERS},
        "queue_age": queue_ages(source, window, step=curves.step),
    }
    valid = next(each for each in objectives.objectives if each.errors)
    reads = next((each for each in objectives.objectives if each.seconds), valid)
    worst = worst_minutes(
        source.increases("requests", window, step=MINUTE),
        valid=valid.requests,
        covered=covered,
        minimum_requests=objectives.minimum_requests,
    )
    return {
        "kind": SIMULATED if simulated else OBSERVED,
        "source": source.name,
        "taken_at": _time(int(now.timestamp())),
        "window": _window(window, covered),
        "objectives": [asdict(objective_state(source, each, objectives, window)) for each in objectives.objectives],
        "worst_five_minutes": _worst(worst),
        "reads": _reads(matching(data["requests"], reads.requests), reads),
        "endpoints": [asdict(each) for each in endpoints(data["requests"], valid=valid.requests)],
        "lists": _lists(data["lists"]),
        "ai": _ai(data),
        "redis": asdict(latency(data["redis"])),
        "queues": {name: age for (name,), age in _highest(data["queue_age"]).items()},
        "curves": {
            "step_seconds": curves.step,
            "at": [_time(at) for at in curves.starts],
            **timeline.curves(curves, data, valid=valid.requests, reads=reads.requests),
        },
    }


def gaps(window: Window, covered: Iterable[int]) -> list[Window]:
    """The parts of the window without data."""
    known, found = set(covered), []
    start: int | None = None
    for minute in (*range(window.start, window.end, MINUTE), None):
        missing = minute is not None and minute not in known
        if missing and start is None:
            start = minute
        elif not missing and start is not None:
            found.append(Window(start, window.end if minute is None else minute))
            start = None
    return found


def _window(window: Window, covered: set[int]) -> Document:
    return {
        "from": _time(window.start),
        "until": _time(window.end),
        "minutes": window.minutes,
        "covered_minutes": len(covered),
        "covered_share": len(covered) / window.minutes,
        "gaps": [
            {"from": _time(each.start), "until": _time(each.end), "minutes": each.minutes}
            for each in gaps(window, covered)
        ],
    }


def _worst(worst: Worst | None) -> Document | None:
    if worst is None:
        return None
    return {
        "from": _time(worst.start),
        "requests": worst.requests,
        "errors": worst.errors,
        "share": worst.share,
        "had_minimum_of_requests": worst.enough,
    }


def _reads(observed: list[Increase], objective: Objective) -> Document:
    found: Document = asdict(latency(observed))
    limits = {STRETCH_SECONDS, objective.seconds} - {0.0}
    for limit in sorted(limits):
        shares = [(each.value, share_within(limit, each.bounds, each.buckets)) for each in observed]
        counted = sum(count for count, share in shares if share is not None)
        fast = sum(count * share for count, share in shares if share is not None)
        found[f"within_{limit * 1000:g}_ms"] = fast / counted if counted else None
    return found


def _lists(increases: list[Increase]) -> list[Document]:
    found = sums_by(increases, "source", "degraded")
    served = sum(found.values())
    return [
        {"source": source, "degraded": degraded, "lists": count, "share": count / served}
        for (source, degraded), count in found.items()
        if count
    ]


def _ai(data: dict[str, list[Increase]]) -> Document:
    eligible, fallbacks = (timeline.total(data[name]) for name in ("ai_eligible", "ai_fallbacks"))
    cost = sums_by(data["ai_cost"], "simulated")
    return {
        "eligible_lists": eligible,
        "fallbacks": {reason: count for (reason,), count in sums_by(data["ai_fallbacks"], "reason").items()},
        "fallback_rate": fallbacks / eligible if eligible else None,
        "calls": {outcome: count for (outcome,), count in sums_by(data["ai_calls"], "outcome").items()},
        "cost_usd": cost.get(("false",), 0.0),
        "simulated_cost_usd": cost.get(("true",), 0.0),
    }


def _highest(increases: list[Increase]) -> dict[tuple[str, ...], float]:
    found: dict[tuple[str, ...], float] = {}
    for each in increases:
        key = (each.labels.get("queue", ""),)
        found[key] = max(found.get(key, 0.0), each.value)
    return dict(sorted(found.items()))


def _time(unix_seconds: int) -> str:
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat().replace("+00:00", "Z")
