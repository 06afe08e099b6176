"""The Redis stream of collected rows, from each process to the task that stores them."""

import uuid
from collections.abc import Sequence

from django.conf import settings

from core.redis.batch_stream import BatchStream, Delivery
from core.series.rows import Rows, wire

STREAM = BatchStream(key="docent:series", group="series", consumer="store", field="rows", purpose="series")


def append(batch_id: uuid.UUID, rows: Rows) -> bool:
    """Adds a batch; False when SERIES_STREAM_BATCHES wait.

    Raises: core.redis.RedisUnavailable; the batch may have been added then: send it again with the same id.
    """
    return STREAM.append(batch_id, wire(rows.items()), most=settings.SERIES_STREAM_BATCHES)


def read(most: int) -> list[Delivery]:
    """The next batches.

    Raises: core.redis.RedisUnavailable.
    """
    return STREAM.read(most)


def acknowledge(deliveries: Sequence[Delivery]) -> int:
    """Forgets what has been stored; returns how many batches still wait.

    Raises: core.redis.RedisUnavailable.
    """
    return STREAM.acknowledge(deliveries)
