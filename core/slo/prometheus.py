"""Indicators from Prometheus's HTTP API.

Counters are compared every RESOLUTION seconds and summed over the same steps as the built-in series have. A series that
was not there before counts from zero if its target was: `increase` would ignore its first value, and so the first
errors of a kind. A counter that fell was restarted and counts from zero too. Nothing is extrapolated.
"""

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client.utils import floatToGoString

from core.metrics.families import declared
from core.series.families import QUEUE_AGE, families, folded
from core.slo.sources import MINUTE, Increase, Window

TIMEOUT_SECONDS = 60.0
MOST_POINTS = 10_000
"""Prometheus refuses queries for more than 11,000 points."""
RESOLUTION = 15
"""Seconds; as the scrape interval of config/prometheus/prometheus.yml."""
SILENCE = "10m"
"""For so long a counter may have been out of reach and still be compared with its earlier value."""
LONG = 7 * 86_400
"""Steps from this length on are left to `increase`, whose error is small there."""
QUEUE_AGE_METRIC = "docent_queue_oldest_message_seconds"


class PrometheusUnavailable(Exception):
    """Prometheus did not answer the query; the message says why."""


class PrometheusSource:
    """A Prometheus server. `matchers` narrow the service's series, such as `job="docent-web"`."""

    def __init__(self, url: str, *, matchers: str = "") -> None:
        self.name = "Prometheus"
        self._url, self._matchers = url.rstrip("/"), matchers

    def increases(self, family: str, window: Window, *, step: int, within: float | None = None) -> Iterable[Increase]:
        """As the protocol says."""
        known = families()[family]
        name = known.prometheus_name + (
            "_total" if not known.is_histogram else "_count" if within is None else "_bucket"
        )
        series = self._series(name) if within is None else self._series(name, f'le="{_go_float(within)}"')
        for at, labels, value in self._increased(series, known.labels, window, step):
            yield Increase(at, labels, value)

    def histograms(self, family: str, window: Window, *, step: int) -> Iterable[Increase]:
        """As the protocol says."""
        known = families()[family]
        series = self._series(known.prometheus_name + "_bucket")
        found: dict[tuple[int, tuple[str, ...]], dict[float, float]] = defaultdict(dict)
        for at, labels, value in self._increased(series, (*known.labels, "le"), window, step):
            buckets = found[at, known.key(labels)]
            bound = float(labels["le"])
            buckets[bound] = buckets.get(bound, 0.0) + value
        for (at, key), buckets in found.items():
            # A bucket below all observations has no increase, and so no value.
            bounds = sorted({*buckets, *declared.families[known.prometheus_name].buckets, math.inf})
            below = list(accumulate((buckets.get(bound, 0.0) for bound in bounds), max))
            counts = tuple(max(0.0, one - less) for one, less in zip(below, [0.0, *below], strict=False))
            labels = dict(zip(known.labels, key, strict=True))
            yield Increase(at, labels, sum(counts), tuple(bounds[:-1]), counts)

    def peaks(self, family: str, window: Window, *, step: int) -> Iterable[Increase]:
        """As the protocol says."""
        assert family == QUEUE_AGE, "the only gauge"
        for part, seconds in _parts(window, step):
            expression = f"max by (queue) (max_over_time({self._series(QUEUE_AGE_METRIC)}[{seconds}s]))"
            for at, labels, value in self._steps(expression, part, seconds):
                yield Increase(at, {"queue": labels.get("queue", "")}, value)

    def covered(self, window: Window) -> set[int]:
        """The minutes in which a target with request metrics was scraped."""
        requests = self._series(families()["requests"].prometheus_name + "_count")
        targets = f"last_over_time({requests}[{SILENCE}])"
        expression = f"count((max_over_time(up[{MINUTE}s]) == 1) and on (job, instance) {targets})"
        return {at for at, _, value in self._steps(expression, window, MINUTE) if value > 0}

    def _series(self, name: str, *more: str) -> str:
        return f"{name}{{{', '.join(each for each in (self._matchers, *more) if each)}}}"

    def _increased(
        self, series: str, labels: Sequence[str], window: Window, step: int
    ) -> Iterable[tuple[int, Mapping[str, str], float]]:
        for part, seconds in _parts(window, step):
            expression = _increase(series, labels, seconds)
            for at, found, value in self._steps(expression, part, seconds):
                if value > 0:
                    yield at, {name: folded(name, found.get(name, "")) for name in labels}, value

    def _steps(self, expression: str, window: Window, step: int) -> Iterable[tuple[int, Mapping[str, str], float]]:
        """The expression at the end of each step, by the step's start."""
        count = (window.end - window.start) // step
        for first in range(0, count, MOST_POINTS):
            last = min(count, first + MOST_POINTS) - 1
            start, end = (window.start + (place + 1) * step for place in (first, last))
            for series in self._query(expression, start, end, step):
                for at, value in series["values"]:
                    yield int(at) - step, series["metric"], float(value)

    def _query(self, expression: str, start: int, end: int, step: int) -> list[Any]:
        query = {"query": expression, "start": start, "end": end, "step": step}
        address = f"{self._url}/api/v1/query_range"
        if not address.startswith(("http://", "https://")):
            raise PrometheusUnavailable(f"{self._url} is no URL of Prometheus: http://host:9090")
        request = urllib.request.Request(address, urllib.parse.urlencode(query).encode())  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            raise PrometheusUnavailable(f"{address}: {error.code} {error.read(500)!r}") from error
        except (OSError, ValueError) as error:
            raise PrometheusUnavailable(f"{address}: {error}") from error
        found: list[Any] = answer["data"]["result"]
        return found


def _parts(window: Window, step: int) -> Iterable[tuple[Window, int]]:
    """The whole steps of the window, and what is left behind them as one shorter step."""
    end = window.start + (window.end - window.start) // step * step
    if end > window.start:
        yield Window(window.start, end), step
    if end < window.end:
        yield Window(end, window.end), window.end - end


def _increase(series: str, labels: Sequence[str], step: int) -> str:
    grouped = f"sum by ({', '.join(labels)})"
    if step >= LONG:
        return f"{grouped} (increase({series}[{step}s]))"
    every = RESOLUTION
    # Not the series itself, which ends at once with its target: what came before the end counts.
    # Twice the interval, since scrapes are not punctual.
    value = f"last_over_time({series}[{2 * every}s])"
    difference = f"({value} - last_over_time({series}[{SILENCE}] offset {every}s))"
    restarted = f"({value} and ({difference} < 0))"
    new = f"(({value} unless {difference}) and on (job, instance) last_over_time(up[{2 * every}s] offset {every}s))"
    grown = f"{grouped} (({difference} >= 0) or {restarted} or {new})"
    # Half a step less: versions differ in whether a range contains both of its ends.
    return f"sum_over_time(({grown})[{step * 1000 - every * 500}ms:{every}s])"


def _go_float(value: float) -> str:
    """A bucket's bound as prometheus_client writes it."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]
