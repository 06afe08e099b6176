"""From the stream to PostgreSQL: each batch in effect once, however often it is delivered."""

import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import connection

from accounts.tenancy import scope
from core.redis.batch_stream import Delivery
from recommendations.attribution import impression_stream
from recommendations.attribution.daily_counters import Increments, Shown
from recommendations.attribution.metrics import IMPRESSIONS_DROPPED, IMPRESSIONS_STORED
from recommendations.attribution.served_pages import stored

BATCHES_AT_ONCE = 20
# Batches that were written are remembered for longer than one may wait: none is ever written twice.
REMEMBERED = timedelta(days=7)
TOO_OLD = timedelta(days=6)
_CLAIM = """
    INSERT INTO recommendations_impressionbatch (id, stored_at) SELECT unnest(%s::uuid[]), %s
    ON CONFLICT (id) DO NOTHING RETURNING id
"""
# Held until the commit: a person cannot be erased between the look and the row that names them.
_PEOPLE = """
    SELECT user_id, id, created_at FROM recommendations_enduser
    WHERE tenant_id = %s AND user_id = ANY (%s) ORDER BY id FOR KEY SHARE
"""
_log = structlog.get_logger(__name__)


def flush(*, now: datetime, seconds: float = 10.0) -> int:
    """Writes what waits in the stream, for so long at most; returns how many impressions were counted.

    Killed between the commit and the acknowledgement, the next run gets the batches again and finds them written.
    Raises: core.redis.RedisUnavailable.
    """
    until, counted = time.monotonic() + seconds, 0
    while deliveries := impression_stream.read(BATCHES_AT_ONCE):
        counted += _store(deliveries, now)
        impression_stream.acknowledge(deliveries)
        if time.monotonic() > until:
            break
    IMPRESSIONS_STORED.inc(counted)
    return counted


def _store(deliveries: Sequence[Delivery], now: datetime) -> int:
    batches: dict[uuid.UUID, list[list[Any]]] = {}
    for delivery in deliveries:
        if delivery.content is None:
            _log.error("impressions_unreadable", entry_id=delivery.entry_id.decode())
            IMPRESSIONS_DROPPED.labels("unreadable").inc()
        else:
            batches[delivery.batch_id] = delivery.content
    counted = 0
    with scope.all_tenants("impressions: from the stream"):
        by_tenant: dict[int, list[list[Any]]] = defaultdict(list)
        for batch_id in _claim(batches, now):
            for page in batches[batch_id]:
                by_tenant[page[0]].append(page)
        for tenant_id in _existing(by_tenant):
            counted += _write(tenant_id, by_tenant[tenant_id], now)
    return counted


def _claim(batch_ids: Iterable[uuid.UUID], now: datetime) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [sorted(batch_ids), now])
        return [row[0] for row in cursor.fetchall()]


def _existing(tenant_ids: Iterable[int]) -> list[int]:
    """The tenants that are still there, in a fixed order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM accounts_tenant WHERE id = ANY (%s) ORDER BY id", [list(tenant_ids)])
        return [row[0] for row in cursor.fetchall()]


def _write(tenant_id: int, pages: Sequence[Sequence[Any]], now: datetime) -> int:
    people = _people(tenant_id, {page[2] for page in pages if page[2] is not None})
    increments, counted = Increments(), 0
    for _, recommendation_id, user_id, placement, (arm, source), first, last, times, listed, *kept in pages:
        item_ids = impression_stream.split(listed)
        first_at, last_at = datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)
        if first_at < now - TOO_OLD:
            IMPRESSIONS_DROPPED.labels("too_old").inc(times)
            continue
        person, since = people.get(user_id, (None, None))
        if since is not None and since > first_at:
            person = None  # somebody else: the one who saw the page was unknown, or has been erased since
        body = stored(item_ids, kept[0]) if person is not None and kept and kept[0] else None
        increments.impression(
            Shown(recommendation_id, person, placement, arm, source, first_at, last_at, body), item_ids, times=times
        )
        counted += times
    increments.write(tenant_id)
    return counted


def _people(tenant_id: int, user_ids: Iterable[str]) -> dict[str | None, tuple[int | None, datetime | None]]:
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, [tenant_id, list(user_ids)])
        return {user_id: (pk, since) for user_id, pk, since in cursor.fetchall()}
