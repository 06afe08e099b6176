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
            return _within(lower, upper, total, first=below, last=below + count, wanted=wanted)
        below += count
    return float(bounds[-1]) if bounds else None


def share_within(limit: float, bounds: Sequence[float], counts: Sequence[float]) -> float | None:
    """The share of observations of at most `limit`, which is one of the bounds; None without observations.

    Raises: ValueError if it is none of them.
    """
    total = sum(counts)
    return sum(counts[: bounds.index(limit) + 1]) / total if total else None


def _within(lower: float, upper: float, total: float, *, first: float, last: float, wanted: float) -> float:
    """Interpolates between a bucket's bounds, at which `first` and `last` of the observations lie below."""
    if lower == 0:
        return upper * (wanted - first) / (last - first)
    # Of none below and none above a distribution's tail is not known; half an observation stands for it.
    low, at, high = (
        _NORMAL.inv_cdf(min(max(each / total, 0.5 / total), 1 - 0.5 / total)) for each in (first, wanted, last)
    )
    place = (at - low) / (high - low) if high > low else 1.0
    return float(lower * (upper / lower) ** place)
