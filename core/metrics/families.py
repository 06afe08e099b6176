"""Declaration of metric families: each once, in its package's `metrics.py`, with the values that its labels may take.

docs/operations/metrics.md is generated from the declarations (`manage.py metrics_catalogue`).
"""

import inspect
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Named:
    """Values of a label that are names from the code or the configuration, such as those of routes."""

    what: str
    pattern: str = r"[A-Za-z0-9_.:-]{1,80}"

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None


Values = Sequence[str] | Named
Labels = Mapping[str, Values]
# Nothing of these may become a label: their number grows with the use of the service.
FORBIDDEN = frozenset({"tenant", "tenant_id", "user", "user_id", "client", "path", "url", "item", "address", "token"})


@dataclass(frozen=True, slots=True)
class Family:
    """A declared family; `package` is the module that declares it."""

    name: str
    kind: Kind
    meaning: str
    labels: Labels
    package: str
    buckets: tuple[float, ...] = ()
    is_measured: bool = False

    @property
    def form(self) -> str:
        """The type for people."""
        return "gauge, measured" if self.is_measured else self.kind

    def fault(self, values: Sequence[str]) -> str:
        """Returns the fault in these values of its labels, in their order; empty if nothing is."""
        for (label, allowed), value in zip(self.labels.items(), values, strict=True):
            if value not in allowed:
                return f"{self.name}: {value!r} is no declared value of the label {label}"
        return ""


Value = tuple[Family, Sequence[str], float]
"""A measured family, values of its labels in their order, and its present value."""


@dataclass(slots=True)
class Declarations:
    """All families of the process. `strict`: an undeclared value of a label is an error, but for those in `also`."""

    families: dict[str, Family] = field(default_factory=dict)
    strict: bool = False
    also: frozenset[str] = frozenset()

    def add(self, family: Family) -> Family:
        """Adds it. Raises: ValueError for a name that is taken, or a label that is not bounded."""
        if family.name in self.families:
            raise ValueError(f"{family.name} is declared twice.")
        if unbounded := FORBIDDEN & family.labels.keys():
            raise ValueError(f"{family.name}: {', '.join(sorted(unbounded))} would make a series for each.")
        self.families[family.name] = family
        return family


declared = Declarations()
if _folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    Path(_folder).mkdir(parents=True, exist_ok=True)  # prometheus_client opens files there as soon as a family is made


def _check(name: str, values: Sequence[str] | None) -> None:
    # Only where a child is made, which is once for each series of a process.
    family = declared.families.get(name) if values and declared.strict else None
    if family and not declared.also.intersection(values or ()) and (fault := family.fault(values or ())):
        raise ValueError(fault)


class _Counter(Counter):
    def __init__(self, name: str, *arguments: Any, **options: Any) -> None:
        _check(name, options.get("_labelvalues"))
        super().__init__(name, *arguments, **options)


class _Gauge(Gauge):
    def __init__(self, name: str, *arguments: Any, **options: Any) -> None:
        _check(name, options.get("_labelvalues"))
        super().__init__(name, *arguments, **options)


class _Histogram(Histogram):
    def __init__(self, name: str, *arguments: Any, **options: Any) -> None:
        _check(name, options.get("_labelvalues"))
        super().__init__(name, *arguments, **options)


def counter(name: str, meaning: str, labels: Labels | None = None, *, from_zero: bool = False) -> Counter:
    """Declares a counter; its name ends in `_total`.

    `from_zero` creates the series of all values at once, so that Prometheus sees the first increase of each.
    """
    family = declared.add(Family(name, "counter", meaning, labels or {}, _package()))
    created = _Counter(name, meaning, list(family.labels))
    if from_zero:
        start_at_zero(created, *(values for values in family.labels.values() if not isinstance(values, Named)))
    return created


def gauge(name: str, meaning: str, labels: Labels | None = None, *, over_processes: str) -> Gauge:
    """Declares a gauge that each process sets; `over_processes` is prometheus_client's mode of merging them."""
    family = declared.add(Family(name, "gauge", meaning, labels or {}, _package()))
    return _Gauge(name, meaning, list(family.labels), multiprocess_mode=over_processes)


def histogram(name: str, meaning: str, labels: Labels | None = None, *, buckets: Iterable[float]) -> Histogram:
    """Declares a histogram with these upper bounds."""
    bounds = tuple(buckets)
    family = declared.add(Family(name, "histogram", meaning, labels or {}, _package(), bounds))
    return _Histogram(name, meaning, list(family.labels), buckets=bounds)


def measured(name: str, meaning: str, labels: Labels | None = None) -> Family:
    """Declares a gauge that no process holds: its values are read when Prometheus asks (`exposition`)."""
    return declared.add(Family(name, "gauge", meaning, labels or {}, _package(), is_measured=True))


def exposition(values: Iterable[Value]) -> bytes:
    """Lines for Prometheus with these values of measured families."""
    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}
    for family, labels, value in values:
        if fault := family.fault(labels):
            raise ValueError(fault)
        if family.name not in gauges:
            gauges[family.name] = Gauge(family.name, family.meaning, list(family.labels), registry=registry)
        made = gauges[family.name]
        (made.labels(*labels) if labels else made).set(value)
    return generate_latest(registry)


def start_at_zero(counter: Counter, *label_values: Iterable[str]) -> None:
    """Creates the series of these label values, so that Prometheus sees the first increase of each."""
    for values in product(*label_values):
        if values:
            counter.labels(*values)


def _package(depth: int = 2) -> str:
    frame = inspect.currentframe()
    for _ in range(depth):
        frame = frame.f_back if frame else None
    return str(frame.f_globals.get("__name__", "")) if frame else ""
