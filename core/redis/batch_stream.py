"""A Redis stream of batches, between processes that collect and a task that writes to PostgreSQL.

A batch carries an id of its producer's making: one that was appended twice (its answer was lost) and one that is
delivered twice are recognised alike. All readers are one consumer of one group; what a reader took and did not
acknowledge is given to the next after CLAIM_SECONDS. Batches are deleted when acknowledged, so the stream's length is
what waits, and appending stops at a limit: the server must not fill up while no worker runs.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import ResponseError

from core import redis

CLAIM_SECONDS = 30
_APPEND = """
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('XADD', KEYS[1], '*', 'batch', ARGV[2], ARGV[3], ARGV[4])
return 1
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A batch as read. `content` is None where it cannot be understood."""

    entry_id: bytes
    batch_id: uuid.UUID
    content: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStream:
    """The stream at `key`. `field` holds a batch's content as JSON; `purpose` names its commands in metrics.

    Every method raises core.redis.RedisUnavailable.
    """

    key: str
    group: str
    consumer: str
    field: str
    purpose: str

    def append(self, batch_id: uuid.UUID, content: Any, *, most: int) -> bool:
        """Adds a batch; False when `most` batches wait. After an error it may have been added: send it again as is."""
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        arguments = (most, batch_id.hex, self.field, body)
        return bool(redis.call(self.purpose, lambda client: client.eval(_APPEND, 1, self.key, *arguments)))

    def read(self, most: int) -> list[Delivery]:
        """The next batches: first those that a reader took and left, then new ones."""
        try:
            return redis.call(self.purpose, lambda client: self._read(client, most))
        except ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
        redis.call(self.purpose, self._create_group)
        return redis.call(self.purpose, lambda client: self._read(client, most))

    def waiting(self) -> int:
        """The number of batches that wait."""
        return redis.call(self.purpose, lambda client: int(client.xlen(self.key)))

    def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        """Forgets what has been written; returns how many batches still wait."""
        ids = [delivery.entry_id for delivery in deliveries]

        def forget(client: Any) -> int:
            pipe = client.pipeline(transaction=False)
            pipe.xack(self.key, self.group, *ids)
            pipe.xdel(self.key, *ids)
            pipe.xlen(self.key)
            waiting: int = pipe.execute()[-1]
            return waiting

        return redis.call(self.purpose, forget)

    def _create_group(self, client: Any) -> None:
        try:
            client.xgroup_create(self.key, self.group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _read(self, client: Any, most: int) -> list[Delivery]:
        idle = CLAIM_SECONDS * 1000
        left = client.xautoclaim(self.key, self.group, self.consumer, min_idle_time=idle, count=most)[1]
        if left:
            return [self._delivery(*entry) for entry in left]
        answer = client.xreadgroup(self.group, self.consumer, {self.key: ">"}, count=most)
        streams = answer.values() if isinstance(answer, dict) else [entries for _, entries in answer or []]
        # RESP3 wraps the entries of a stream in one more list.
        flat = [entry for entries in streams for entry in (entries[0] if _is_wrapped(entries) else entries)]
        return [self._delivery(*entry) for entry in flat]

    def _delivery(self, entry_id: bytes, fields: dict[bytes, bytes] | None) -> Delivery:
        try:
            values = fields or {}
            return Delivery(entry_id, uuid.UUID(values[b"batch"].decode()), json.loads(values[self.field.encode()]))
        except (KeyError, ValueError):
            return Delivery(entry_id, uuid.UUID(int=0), None)


def _is_wrapped(entries: Any) -> bool:
    return (
        bool(entries) and isinstance(entries[0], list) and (not entries[0] or isinstance(entries[0][0], tuple | list))
    )
