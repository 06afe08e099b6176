"""Percentiles of latencies from the buckets of a histogram."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist

_NORMAL = NormalDist()


def percentile(share: float, bounds: Sequence[float], counts: Sequence[float]) -> float | None:
    """The latency below which this share of the observations lies; None without observations.

    `counts` has the observations of each bucket; the last bucket has no upper bound, and the highest bound stands for
    what is in it. Within a bucket latencies are taken to be distributed log-normally, as they mostly are. Prometheus's
    `histogram_quantile` takes them to be distributed evenly, which is off by 30 % where buckets are wide.
    """
    total = sum(counts)
    if total <= 0:
        return None
    wanted, below = share * total, 0.0
    for (lower, upper), count in zip(pairwise((0.0, *bounds)), counts, strict=False):
        if count and below + count >= wanted:
            return _within(lower, upper, wanted / total, below / total, (below + count) / total)
        below += count
    return float(bounds[-1]) if bounds else None


def share_within(limit: float, bounds: Sequence[float], counts: Sequence[float]) -> float | None:
    """The share of observations of at most `limit`, which is one of the bounds; None without observations.

    Raises: ValueError if it is none of them.
    """
    total = sum(counts)
    return sum(counts[: bounds.index(limit) + 1]) / total if total else None


def _within(lower: float, upper: float, share: float, first: float, last: float) -> float:
    """Interpolates between a bucket's bounds, at which the shares `first` and `last` lie below."""
    if lower == 0:
        return upper * (share - first) / (last - first)
    place = (share - first) / (last - first)
    if first > 0 and last < 1 and first < share < last:
        low, high = _NORMAL.inv_cdf(first), _NORMAL.inv_cdf(last)
        place = (_NORMAL.inv_cdf(share) - low) / (high - low)
    return float(lower * (upper / lower) ** place)
