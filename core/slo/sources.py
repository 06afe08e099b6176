"""The two sources of indicators behind one protocol: the built-in time series here, Prometheus in `prometheus`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from core.series import selectors
from core.series.families import labels_of

MINUTE = 60


@dataclass(frozen=True, slots=True)
class Window:
    """A period of whole minutes, in Unix seconds; `end` is not part of it."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.start % MINUTE or self.end % MINUTE or self.start >= self.end:
            raise ValueError("A window consists of at least one whole minute.")

    @property
    def minutes(self) -> int:
        """Its length."""
        return (self.end - self.start) // MINUTE

    def steps(self, seconds: int) -> range:
        """The starts of its steps of so many seconds; the last step may be shorter."""
        return range(self.start, self.end, seconds)


@dataclass(frozen=True, slots=True)
class Increase:
    """The gain of a series in the step that starts at `at`: a counter's increase, or a histogram's observations.

    For a gauge `value` is its highest value in the step. `buckets` has one more entry than `bounds`.
    """

    at: int
    labels: Mapping[str, str]
    value: float
    bounds: tuple[float, ...] = ()
    buckets: tuple[float, ...] = ()


class Source(Protocol):
    """A source of time series. Families are those of settings.SERIES_FAMILIES."""

    name: str

    def increases(self, family: str, window: Window, *, step: int, within: float | None = None) -> Iterable[Increase]:
        """The increases of counters, or the numbers of a histogram's observations.

        `within` counts observations of at most so many seconds, which is a bound of the histogram.
        """

    def histograms(self, family: str, window: Window, *, step: int) -> Iterable[Increase]:
        """The observations of histograms by bucket."""

    def peaks(self, family: str, window: Window, *, step: int) -> Iterable[Increase]:
        """The highest values of gauges."""

    def covered(self, window: Window) -> set[int]:
        """The minutes of which there are data."""


class BuiltInSource:
    """The built-in time series."""

    name = "built-in time series"

    def increases(self, family: str, window: Window, *, step: int, within: float | None = None) -> Iterable[Increase]:
        """As the protocol says. Raises: ValueError if `within` is no bound."""
        names = labels_of(family)
        for row in selectors.sums(family, start=window.start, end=window.end, step=step, within=within):
            yield Increase(row.at, dict(zip(names, row.labels, strict=False)), row.count)

    def histograms(self, family: str, window: Window, *, step: int) -> Iterable[Increase]:
        """As the protocol says."""
        names = labels_of(family)
        for row in selectors.histograms(family, start=window.start, end=window.end, step=step):
            labels = dict(zip(names, row.labels, strict=False))
            yield Increase(row.at, labels, sum(row.buckets), row.bounds, row.buckets)

    def peaks(self, family: str, window: Window, *, step: int) -> Iterable[Increase]:
        """As the protocol says."""
        names = labels_of(family)
        for row in selectors.sums(family, start=window.start, end=window.end, step=step):
            yield Increase(row.at, dict(zip(names, row.labels, strict=False)), row.peak)

    def covered(self, window: Window) -> set[int]:
        """The minutes in which a web process counted."""
        return selectors.covered(start=window.start, end=window.end)
