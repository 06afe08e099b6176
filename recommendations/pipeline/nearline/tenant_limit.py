"""Limits the near-line tasks of one tenant that run at once, so that no tenant's backlog delays the others.

A lane is a slot for one task, which re-enqueues itself until no user of the tenant waits. A task that finds all lanes
taken leaves a note and ends: a task in a lane checks once more before it leaves. So a tenant has as many messages in
the queue as it has lanes, however many of its users wait, and others wait for that many chunks at most. Lanes are kept
in Redis, by its clock; the lane of a killed worker expires.
"""

import uuid

from django.conf import settings

from core import redis
from recommendations.cache import keys

# Longer than a chunk and the wait of its message. A task that waits longer enters again when there is room.
LANE_SECONDS = 60
_ENTER = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local seconds = tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], ARGV[1]) or redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], now + seconds, ARGV[1])
  redis.call('EXPIRE', KEYS[1], 2 * seconds)
  return 1
end
redis.call('SET', KEYS[2], '1', 'EX', seconds)
return 0
"""
_LEAVE = """
if redis.call('DEL', KEYS[2]) == 1 then return 1 end
redis.call('ZREM', KEYS[1], ARGV[1])
return 0
"""


def new_lane() -> str:
    """A name for a lane."""
    return uuid.uuid4().hex


def enter(*, tenant_id: int, lane: str) -> bool:
    """Takes or extends the lane for LANE_SECONDS; False, with a note for the others, when all are taken.

    Raises:
        core.redis.RedisUnavailable: Lanes cannot be counted.
    """
    arguments = (keys.lanes(tenant_id), keys.again(tenant_id), lane, settings.NEARLINE_LANES, LANE_SECONDS)
    return bool(redis.call("nearline_enter", lambda client: client.eval(_ENTER, 2, *arguments)))


def leave(*, tenant_id: int, lane: str) -> bool:
    """Returns the lane; False, and it stays taken, if another task has left a note since.

    Raises:
        core.redis.RedisUnavailable: The lane expires by itself.
    """
    arguments = (keys.lanes(tenant_id), keys.again(tenant_id), lane)
    return not redis.call("nearline_leave", lambda client: client.eval(_LEAVE, 2, *arguments))
