"""One row of the time series as it is collected, sent and stored: a minute's increase of one series."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Key = tuple[int, str, tuple[str, ...], tuple[float, ...]]
"""Minute (Unix seconds), family, values of labels, upper bounds of buckets but the last."""


@dataclass(slots=True)
class Row:
    """The increase of one series. `buckets` has one count for each bound and one for what exceeds all of them."""

    count: float = 0.0
    total: float = 0.0
    peak: float = 0.0
    buckets: list[int] = field(default_factory=list)

    def add(self, other: "Row") -> None:
        """Adds another row of the same series."""
        self.count += other.count
        self.total += other.total
        self.peak = max(self.peak, other.peak)
        if len(self.buckets) == len(other.buckets):
            self.buckets = [one + more for one, more in zip(self.buckets, other.buckets, strict=True)]
        else:  # one of them has none yet
            self.buckets = list(self.buckets or other.buckets)


Rows = dict[Key, Row]


def merge(into: Rows, more: Iterable[tuple[Key, Row]]) -> None:
    """Adds rows to those of the same series and minute."""
    for key, row in more:
        if (found := into.get(key)) is None:
            into[key] = Row(row.count, row.total, row.peak, list(row.buckets))
        else:
            found.add(row)


def wire(rows: Iterable[tuple[Key, Row]]) -> list[list[Any]]:
    """Rows as JSON takes them."""
    return [
        [minute, family, list(labels), list(bounds), row.count, row.total, row.peak, row.buckets]
        for (minute, family, labels, bounds), row in rows
    ]


def unwired(rows: Iterable[Iterable[Any]]) -> Rows:
    """The rows that `wire` made.

    Raises: ValueError, TypeError for anything else.
    """
    found: Rows = {}
    for minute, family, labels, bounds, count, total, peak, buckets in rows:
        key: Key = (int(minute), str(family), tuple(map(str, labels)), tuple(map(float, bounds)))
        merge(found, [(key, Row(float(count), float(total), float(peak), [int(each) for each in buckets]))])
    return found
