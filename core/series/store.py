"""From the stream to PostgreSQL: each batch in effect once, however often it is delivered."""

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from django.db import connection, transaction

from core.redis.batch_stream import Delivery
from core.series import stream
from core.series.metrics import SERIES_DROPPED
from core.series.models import MetricSeries
from core.series.rows import Row, Rows, merge, unwired

BATCHES_AT_ONCE = 200
MOST_SERIES = 2_000
"""Series in all. Labels are bounded; if one is not after all, what comes later is summed under the label "other"."""
# Batches that were written are remembered for longer than one may wait: none is ever written twice.
REMEMBERED = timedelta(days=7)
TOO_OLD = timedelta(days=6)
_CLAIM = """
    INSERT INTO core_metricbatch (id, stored_at) SELECT unnest(%s::uuid[]), %s ON CONFLICT (id) DO NOTHING RETURNING id
"""
_ADD = """
    INSERT INTO core_metricminute AS known (minute, series_id, count, total, peak, buckets)
    SELECT to_timestamp(minute), series_id, count, total, peak, string_to_array(buckets, ',')::int[]
    FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[], %s::text[])
        AS added (minute, series_id, count, total, peak, buckets)
    ORDER BY minute, series_id
    ON CONFLICT (minute, series_id) DO UPDATE SET
        count = known.count + excluded.count,
        total = known.total + excluded.total,
        peak = greatest(known.peak, excluded.peak),
        buckets = ARRAY(
            SELECT coalesce(one, 0) + coalesce(more, 0)
            FROM unnest(known.buckets, excluded.buckets) WITH ORDINALITY AS pair (one, more, place) ORDER BY place
        )
"""
_SeriesKey = tuple[str, tuple[str, ...], tuple[float, ...]]
_log = structlog.get_logger(__name__)


def flush(*, now: datetime, seconds: float = 10.0) -> int:
    """Writes what waits in the stream, for so long at most; returns how many batches were written.

    Killed between the commit and the acknowledgement, the next run gets the batches again and finds them written.
    Raises: core.redis.RedisUnavailable.
    """
    until, written = time.monotonic() + seconds, 0
    while deliveries := stream.read(BATCHES_AT_ONCE):
        written += _store(deliveries, now)
        stream.acknowledge(deliveries)
        if time.monotonic() > until:
            break
    return written


def add(rows: Rows) -> None:
    """Adds rows to those that are stored, in the caller's transaction."""
    if not rows:
        return
    numbers = _series_numbers({key[1:] for key in rows})
    # Series beyond the most share one.
    stored: Rows = {}
    merge(stored, (((key[0], str(numbers[key[1:]]), (), ()), row) for key, row in rows.items()))
    columns: list[list[object]] = [[], [], [], [], [], []]
    for (minute, number, _, _), row in stored.items():
        buckets = ",".join(map(str, row.buckets))
        for column, value in zip(
            columns, (minute, int(number), float(row.count), float(row.total), float(row.peak), buckets), strict=True
        ):
            column.append(value)
    with connection.cursor() as cursor:
        cursor.execute(_ADD, columns)


def _store(deliveries: Sequence[Delivery], now: datetime) -> int:
    batches: dict[uuid.UUID, Rows] = {}
    for delivery in deliveries:
        try:
            batches[delivery.batch_id] = unwired(delivery.content)
        except (TypeError, ValueError):
            _log.error("series_unreadable", entry_id=delivery.entry_id.decode())
            SERIES_DROPPED.labels("unreadable").inc()
    with transaction.atomic():
        claimed = _claim(batches, now)
        merged: Rows = {}
        for batch_id in claimed:
            merge(merged, batches[batch_id].items())
        add(_recent(merged, now))
    return len(claimed)


def _claim(batch_ids: Iterable[uuid.UUID], now: datetime) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [sorted(batch_ids), now])
        return [row[0] for row in cursor.fetchall()]


def _recent(rows: Rows, now: datetime) -> Rows:
    oldest = (now - TOO_OLD).timestamp()
    recent = {key: row for key, row in rows.items() if key[0] >= oldest}
    if dropped := len(rows) - len(recent):
        SERIES_DROPPED.labels("too_old").inc(dropped)
    return recent


def _series_numbers(wanted: set[_SeriesKey]) -> dict[_SeriesKey, int]:
    """The primary key of each series; new ones are created."""
    known = _known()
    new = sorted(wanted - known.keys())
    room = max(0, MOST_SERIES - len(known))
    instead = {key: key if place < room else _other(key) for place, key in enumerate(new)}
    if missing := set(instead.values()) - known.keys():
        rows = [MetricSeries(family=key[0], labels=list(key[1]), bounds=list(key[2])) for key in sorted(missing)]
        MetricSeries.objects.bulk_create(rows, ignore_conflicts=True)
        known = _known()
    return {key: known[instead.get(key, key)] for key in wanted}


def _known() -> dict[_SeriesKey, int]:
    found = MetricSeries.objects.values_list("pk", "family", "labels", "bounds")
    return {(family, tuple(labels), tuple(bounds)): pk for pk, family, labels, bounds in found}


def _other(key: _SeriesKey) -> _SeriesKey:
    family, labels, bounds = key
    return family, ("other",) * len(labels), bounds


def add_gauge(family: str, values: Mapping[str, float], *, now: datetime) -> None:
    """Stores the present values of a gauge with one label, by its value."""
    minute = int(now.timestamp()) // 60 * 60
    rows: Rows = {
        (minute, family, (label,), ()): Row(count=1, total=value, peak=value) for label, value in values.items()
    }
    with transaction.atomic():
        add(rows)


def started(unix_seconds: int) -> datetime:
    """A minute's start as a time."""
    return datetime.fromtimestamp(unix_seconds, UTC)
