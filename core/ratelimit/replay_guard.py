"""Single use of tokens and proofs: a record in Redis for each, kept while it could be replayed. Fails closed.

The store must be able to say that it has been there all the time. It notes since when it remembers, and whose memory
that is (the server's run id): a note that is gone (emptied), or another server's (a fail-over, a restart), begins anew,
and things that were made before that are refused, because they may have been shown to the memory that is lost.
"""

from dataclasses import dataclass
from enum import IntEnum
from math import ceil

from core import redis
from core.ratelimit import keys

# How much later than its maker's clock says a thing may have been shown: clocks differ.
MARGIN_SECONDS = 6.0
_LUA = """
local id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local time = redis.call('TIME')
local now = math.max(tonumber(time[1]) + tonumber(time[2]) / 1000000, tonumber(ARGV[1]))
local known, since = string.match(redis.call('GET', KEYS[1]) or '', '^(%w+) ([%d.]+)$')
since = tonumber(since)
if known ~= id or not since then
  since = now
  redis.call('SET', KEYS[1], string.format('%s %.6f', id, now))
end
if #KEYS == 1 then return {0, '0'} end
local usable = since + tonumber(ARGV[4])
if tonumber(ARGV[2]) <= usable then return {2, string.format('%.6f', usable - now)} end
if redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3]) then return {0, '0'} end
return {1, '0'}
"""


class ReplayVerdict(IntEnum):
    """The store's answer. TOO_OLD: made before the store can remember."""

    FIRST = 0
    AGAIN = 1
    TOO_OLD = 2


@dataclass(frozen=True, slots=True)
class UseResult:
    """The verdict, and in how many seconds something that is made then is early enough no more (0: already)."""

    verdict: ReplayVerdict
    wait_seconds: int = 0


def use_once(*, tenant_id: int, name: str, made_at: float, keep_seconds: int, now: float) -> UseResult:
    """Notes that this was shown. Of any number of simultaneous showings, in any number of processes, one is FIRST.

    Raises: core.redis.RedisUnavailable: then nobody can say, and it must be refused.
    """
    own = [_since(tenant_id), f"{keys.tag(tenant_id)}once:{name}"]
    given = [repr(now), repr(made_at), keep_seconds, MARGIN_SECONDS]
    verdict, wait = redis.call("once", lambda client: client.eval(_LUA, len(own), *own, *given))
    return UseResult(ReplayVerdict(verdict), max(0, ceil(float(wait))))


def start_memory(*, tenant_id: int, now: float) -> None:
    """Lets the tenant's memory begin now, if it has not: what is made from then on can be shown.

    Raises: core.redis.RedisUnavailable.
    """
    redis.call("once", lambda client: client.eval(_LUA, 1, _since(tenant_id), repr(now)))


def _since(tenant_id: int) -> str:
    return f"{keys.tag(tenant_id)}once-since"
