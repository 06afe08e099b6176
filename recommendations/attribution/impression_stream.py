"""The Redis stream between the processes that serve and the job that counts.

A batch carries an id of its producer's making: one that was appended twice (its answer was lost) and one that is
delivered twice are recognised alike. All readers are one consumer of one group; what a reader took and did not
acknowledge is given to the next after CLAIM_SECONDS. Batches are deleted when acknowledged, so the stream's length is
what waits, and appending stops at IMPRESSION_STREAM_BATCHES: the server must not fill up while no worker runs.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from redis.exceptions import ResponseError

from core import redis

KEY, GROUP, CONSUMER = "docent:impressions", "attribution", "gather"
CLAIM_SECONDS = 30
_BETWEEN_IDS = "\n"  # a control character, which cannot stand in an id
_APPEND = """
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('XADD', KEYS[1], '*', 'batch', ARGV[2], 'pages', ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch as read. `pages` is None where it cannot be understood."""

    entry_id: bytes
    batch_id: uuid.UUID
    pages: list[list[Any]] | None


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
    body = json.dumps(pages, ensure_ascii=False, separators=(",", ":"))
    most = settings.IMPRESSION_STREAM_BATCHES
    return bool(redis.call("impressions", lambda client: client.eval(_APPEND, 1, KEY, most, batch_id.hex, body)))


def read(most: int) -> list[Delivery]:
    """The next batches: first those that a reader took and left, then new ones.

    Raises: core.redis.RedisUnavailable.
    """
    try:
        return redis.call("impressions", lambda client: _read(client, most))
    except ResponseError as error:
        if "NOGROUP" not in str(error):
            raise
    redis.call("impressions", _create_group)
    return redis.call("impressions", lambda client: _read(client, most))


def waiting() -> int:
    """Returns how many batches wait.

    Raises: core.redis.RedisUnavailable.
    """
    return redis.call("impressions", lambda client: int(client.xlen(KEY)))


def acknowledge(deliveries: Sequence[Delivery]) -> None:
    """Forgets what has been written.

    Raises: core.redis.RedisUnavailable.
    """
    ids = [delivery.entry_id for delivery in deliveries]

    def forget(client: Any) -> None:
        pipe = client.pipeline(transaction=False)
        pipe.xack(KEY, GROUP, *ids)
        pipe.xdel(KEY, *ids)
        pipe.execute()

    redis.call("impressions", forget)


def _create_group(client: Any) -> None:
    try:
        client.xgroup_create(KEY, GROUP, id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def _read(client: Any, most: int) -> list[Delivery]:
    left = client.xautoclaim(KEY, GROUP, CONSUMER, min_idle_time=CLAIM_SECONDS * 1000, count=most)[1]
    if left:
        return [_delivery(*entry) for entry in left]
    answer = client.xreadgroup(GROUP, CONSUMER, {KEY: ">"}, count=most)
    streams = answer.values() if isinstance(answer, dict) else [entries for _, entries in answer or []]
    # RESP3 wraps the entries of a stream in one more list.
    flat = [entry for entries in streams for entry in (entries[0] if _is_wrapped(entries) else entries)]
    return [_delivery(*entry) for entry in flat]


def _is_wrapped(entries: Any) -> bool:
    return (
        bool(entries) and isinstance(entries[0], list) and (not entries[0] or isinstance(entries[0][0], tuple | list))
    )


def _delivery(entry_id: bytes, fields: dict[bytes, bytes] | None) -> Delivery:
    try:
        values = fields or {}
        return Delivery(entry_id, uuid.UUID(values[b"batch"].decode()), json.loads(values[b"pages"]))
    except (KeyError, ValueError):
        return Delivery(entry_id, uuid.UUID(int=0), None)
