"""Outcomes of checks, and their totals as metrics of Prometheus."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from workers.synthetic.checks import CHECKS

KEPT = 2000
"""Latest outcomes that a runner keeps for whoever asks: at least two hours."""
SUCCESS, FAILURE = "success", "failure"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one run of a check."""

    region: str
    check: str
    started_at: float
    """Unix seconds."""
    seconds: float
    error: str = ""
    """Empty after a success."""

    @property
    def name(self) -> str:
        """The label of the counter."""
        return FAILURE if self.error else SUCCESS

    def as_json(self) -> dict[str, Any]:
        """The outcome as the runner prints and serves it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts by region, check and outcome; seconds of the last run by region and check; its time by region."""

    counts: Mapping[tuple[str, str, str], float]
    seconds: Mapping[tuple[str, str], float]
    last_run: Mapping[str, float]


def families(totals: Totals) -> Iterator[Metric]:
    """The metrics of the totals. Counters that never counted are there at zero."""
    counter = CounterMetricFamily(
        "docent_synthetic_checks_total", "Synthetic checks that ended.", labels=["region", "check", "outcome"]
    )
    for region in totals.last_run:
        for check in CHECKS:
            for outcome in (SUCCESS, FAILURE):
                counter.add_metric([region, check, outcome], totals.counts.get((region, check, outcome), 0.0))
    yield counter
    seconds = GaugeMetricFamily(
        "docent_synthetic_check_duration_seconds", "Duration of the last synthetic check.", labels=["region", "check"]
    )
    for (region, check), value in totals.seconds.items():
        seconds.add_metric([region, check], value)
    yield seconds
    last = GaugeMetricFamily(
        "docent_synthetic_last_run_timestamp_seconds", "Start of the last synthetic check.", labels=["region"]
    )
    for region, value in totals.last_run.items():
        last.add_metric([region], value)
    yield last


def exposition(totals: Totals) -> bytes:
    """The metrics in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(_Fixed(totals))
    return generate_latest(registry)


@dataclass(slots=True)
class History:
    """The outcomes of a runner since its start; safe to use from several threads."""

    region: str
    started_at: float
    _latest: deque[Outcome] = field(default_factory=lambda: deque(maxlen=KEPT))
    _counts: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Counts and keeps the outcomes."""
        with self._lock:
            for each in outcomes:
                self._latest.append(each)
                key = (each.region, each.check, each.name)
                self._counts[key] = self._counts.get(key, 0.0) + 1.0
                self._seconds[each.region, each.check] = each.seconds

    def totals(self) -> Totals:
        """The totals at this moment."""
        with self._lock:
            last = self._latest[-1].started_at if self._latest else self.started_at
            return Totals(dict(self._counts), dict(self._seconds), {self.region: last})

    def latest(self, *, since: float = 0.0) -> list[Outcome]:
        """The kept outcomes that started later, the oldest first."""
        with self._lock:
            return [each for each in self._latest if each.started_at > since]


class _Fixed(Collector):
    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        """The families."""
        return families(self._totals)
