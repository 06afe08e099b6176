"""The increases of this process's metrics since they were last asked for. What counts them notices nothing of it."""

from collections.abc import Iterable

from core.series.families import Family
from core.series.rows import Row

SeriesKey = tuple[str, tuple[str, ...], tuple[float, ...]]
"""Family, values of labels, bounds."""
_Totals = dict[SeriesKey, Row]


class Sampler:
    """Reads the families' values in this process, also where a folder of Prometheus's files shares them with others."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = list(families)
        self._before = self._totals()

    def increases(self) -> _Totals:
        """Returns the increases since the last call, or since this object was made; only of series that have grown."""
        after = self._totals()
        before, self._before = self._before, after
        grown = {key: _difference(total, before.get(key)) for key, total in after.items()}
        return {key: row for key, row in grown.items() if row.count or row.total}

    def _totals(self) -> _Totals:
        found: _Totals = {}
        for family in self._families:
            for key, row in _counters(family) if not family.is_histogram else _histograms(family):
                if key in found:
                    found[key].add(row)
                else:
                    found[key] = row
        return found


def _counters(family: Family) -> Iterable[tuple[SeriesKey, Row]]:
    for sample in family.metric.collect()[0].samples:
        if sample.name.endswith("_total"):
            yield (family.name, family.key(sample.labels), ()), Row(count=sample.value)


def _histograms(family: Family) -> Iterable[tuple[SeriesKey, Row]]:
    """Prometheus counts what is at most each bound; a row has what lies between two of them."""
    bounds: list[float] = []
    counts: list[float] = []
    for sample in family.metric.collect()[0].samples:
        if sample.name.endswith("_bucket"):
            bounds.append(float(sample.labels["le"]))
            counts.append(sample.value)
        elif sample.name.endswith("_sum"):  # comes behind the buckets of its series
            buckets = [int(one - less) for one, less in zip(counts, [0.0, *counts], strict=False)]
            key = (family.name, family.key(sample.labels), tuple(bounds[:-1]))
            yield key, Row(count=counts[-1], total=sample.value, buckets=buckets)
            bounds, counts = [], []


def _difference(after: Row, before: Row | None) -> Row:
    if before is None or after.count < before.count:
        return after
    return Row(
        count=after.count - before.count,
        total=after.total - before.total,
        buckets=[one - less for one, less in zip(after.buckets, before.buckets, strict=True)],
    )
