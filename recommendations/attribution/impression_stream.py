"""The Redis stream of served pages, between the processes that serve and the job that counts (core.redis.batch_stream).

A batch is a list of pages. Appending stops at IMPRESSION_STREAM_BATCHES.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from core.redis.batch_stream import BatchStream, Delivery

KEY = "docent:impressions"
_BETWEEN_IDS = "\n"  # a control character, which cannot stand in an id
_STREAM = BatchStream(key=KEY, group="attribution", consumer="gather", field="pages", purpose="impressions")


def joined(item_ids: Sequence[str]) -> str:
    """A page's items as they travel: one text costs a fraction of a list of texts."""
    return _BETWEEN_IDS.join(item_ids)


def split(text: str) -> list[str]:
    """The items that `joined` joined."""
    return text.split(_BETWEEN_IDS)


def append(batch_id: uuid.UUID, pages: Sequence[Sequence[Any]]) -> bool:
    """Adds a batch; False when the stream is full.

    Raises: core.redis.RedisUnavailable; the batch may have been added then: send it again with the same id.
    """
    return _STREAM.append(batch_id, pages, most=settings.IMPRESSION_STREAM_BATCHES)


def read(most: int) -> list[Delivery]:
    """The next batches: first those that a reader took and left, then new ones.

    Raises: core.redis.RedisUnavailable.
    """
    return _STREAM.read(most)


def waiting() -> int:
    """The number of batches that wait.

    Raises: core.redis.RedisUnavailable.
    """
    return _STREAM.waiting()


def acknowledge(deliveries: Sequence[Delivery]) -> None:
    """Forgets what has been written.

    Raises: core.redis.RedisUnavailable.
    """
    _STREAM.acknowledge(deliveries)
