"""Reads of the stored time series."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from core.series.families import PROCESS
from core.series.store import started

_SUMS = """
    SELECT floor(extract(epoch FROM m.minute - %(start)s) / %(step)s)::bigint AS part, s.labels,
           sum(CASE WHEN %(within)s::float8 IS NULL THEN m.count ELSE (
               SELECT coalesce(sum(n), 0) FROM unnest(m.buckets[1:array_position(s.bounds, %(within)s::float8)]) AS n
           ) END),
           sum(m.total), max(m.peak),
           bool_and(%(within)s::float8 IS NULL OR array_position(s.bounds, %(within)s::float8) IS NOT NULL)
    FROM core_metricminute m JOIN core_metricseries s ON s.id = m.series_id
    WHERE s.family = %(family)s AND m.minute >= %(start)s AND m.minute < %(end)s
    GROUP BY part, s.labels ORDER BY part, s.labels
"""
_BUCKETS = """
    SELECT part, labels, bounds, array_agg(n ORDER BY place) FROM (
        SELECT floor(extract(epoch FROM m.minute - %(start)s) / %(step)s)::bigint AS part, s.labels, s.bounds,
               bucket.place, sum(bucket.n)::bigint AS n
        FROM core_metricminute m JOIN core_metricseries s ON s.id = m.series_id
        CROSS JOIN LATERAL unnest(m.buckets) WITH ORDINALITY AS bucket (n, place)
        WHERE s.family = %(family)s AND m.minute >= %(start)s AND m.minute < %(end)s
        GROUP BY 1, 2, 3, 4
    ) AS summed GROUP BY part, labels, bounds ORDER BY part, labels
"""
_COVERED = """
    SELECT DISTINCT extract(epoch FROM m.minute)::bigint
    FROM core_metricminute m JOIN core_metricseries s ON s.id = m.series_id
    WHERE s.family = %(family)s AND s.labels[1] = 'web' AND m.minute >= %(start)s AND m.minute < %(end)s
"""


@dataclass(frozen=True, slots=True)
class Summed:
    """One series over one step; `at` is the step's start in Unix seconds."""

    at: int
    labels: tuple[str, ...]
    count: float
    total: float
    peak: float


@dataclass(frozen=True, slots=True)
class Bucketed:
    """The histogram of one series over one step."""

    at: int
    labels: tuple[str, ...]
    bounds: tuple[float, ...]
    buckets: tuple[int, ...]


def sums(family: str, *, start: int, end: int, step: int, within: float | None = None) -> Iterator[Summed]:
    """Each series by steps of so many seconds, from `start` to before `end` (Unix seconds of whole minutes).

    `within` counts only observations of at most so many seconds.
    Raises: ValueError if that is no bound of the histogram.
    """
    for part, labels, count, total, peak, is_bound in _rows(_SUMS, family, start, end, step, within):
        if not is_bound:
            raise ValueError(f"{within:g} is no bound of the histogram {family}.")
        yield Summed(start + part * step, tuple(labels), count, total, peak)


def histograms(family: str, *, start: int, end: int, step: int) -> Iterator[Bucketed]:
    """As `sums`, but the buckets."""
    for part, labels, bounds, buckets in _rows(_BUCKETS, family, start, end, step):
        yield Bucketed(start + part * step, tuple(labels), tuple(bounds), tuple(buckets))


def covered(*, start: int, end: int) -> set[int]:
    """The minutes in which a web process counted."""
    return {minute for (minute,) in _rows(_COVERED, PROCESS, start, end, 60)}


def _rows(
    statement: str, family: str, start: int, end: int, step: int, within: float | None = None
) -> list[tuple[Any, ...]]:
    values: dict[str, Any] = {
        "family": family,
        "start": started(start),
        "end": started(end),
        "step": step,
        "within": within,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
