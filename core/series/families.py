"""The metrics that the built-in time series keep, as settings.SERIES_FAMILIES names them.

A family is a Prometheus metric of this process under a short name, with some of its labels; over the others it is
summed. HTTP statuses are kept by class ("2xx").
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

STATUS = "status"
PROCESS = "process"
"""Seconds that processes of a role have counted; each minute with one of role "web" is covered."""
QUEUE_AGE = "queue_age"
"""Seconds that the oldest message of a queue has waited; a gauge."""
LONGEST = 100
_STATUS = re.compile(r"([1-5])[0-9x]{2}")


@dataclass(frozen=True, slots=True)
class Family:
    """A metric that is kept."""

    name: str
    metric: Any
    labels: tuple[str, ...]

    @property
    def prometheus_name(self) -> str:
        """The name of the metric without the endings of its samples."""
        name: str = self.metric.describe()[0].name
        return name

    @property
    def is_histogram(self) -> bool:
        """True for a histogram, false for a counter."""
        return bool(self.metric.describe()[0].type == "histogram")

    def key(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """The values of the labels that are kept."""
        return tuple(folded(name, labels.get(name, "")) for name in self.labels)


def folded(label: str, value: str) -> str:
    """The value under which a label is kept: of a status its class."""
    if label != STATUS:
        return value[:LONGEST]
    match = _STATUS.fullmatch(value)
    return f"{match[1]}xx" if match else "other"


def families() -> Mapping[str, Family]:
    """The families by name.

    Raises: ImproperlyConfigured for a metric that does not exist or is neither a counter nor a histogram.
    """
    return {name: _family(name, path, labels) for name, (path, labels) in settings.SERIES_FAMILIES.items()}


def labels_of(name: str) -> tuple[str, ...]:
    """The names of a family's labels."""
    return {PROCESS: ("role",), QUEUE_AGE: ("queue",)}.get(name) or families()[name].labels


def _family(name: str, path: str, labels: Iterable[str]) -> Family:
    try:
        metric = import_string(path)
        kind = metric.describe()[0].type
    except (ImportError, AttributeError) as error:
        raise ImproperlyConfigured(f"SERIES_FAMILIES: {path} is no metric ({error})") from error
    if kind not in {"counter", "histogram"}:
        raise ImproperlyConfigured(f"SERIES_FAMILIES: {path} is a {kind}, and only counters and histograms are kept")
    return Family(name, metric, tuple(labels))
