"""The limiter: one script, run by the server in one piece, by its own clock.

1. Revocation: any marker refuses; a missing generation means that nobody can say (Redis was emptied).
2. Rate: the generic cell rate algorithm (ITU-T I.371), one theoretical arrival time (TAT) a policy, charged by cost.
   A caller may be held to several at once, the narrowest first: all of them are charged, or none.
3. Quota: the month's counter, by cost. Nothing is charged for a request that is refused.
4. The caller's own reads, only for a request that goes on.

Times are whole or fractional microseconds since EPOCH, which keeps them exact in Lua's doubles to 1/100 microsecond.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from redis.exceptions import NoScriptError

from core.ratelimit import keys
from core.ratelimit.billing_periods import Month
from core.ratelimit.policies import Nested, Quota
from core.redis.direct import DirectPool

EPOCH = 1_750_000_000
Read = tuple[Literal["get", "hgetall"], str]
_LETTER = {"get": "g", "hgetall": "h"}
# KEYS: quota of either month, dirty months, generation, three markers; then those of the rates and the caller's reads.
_OWN_KEYS = 7
_LUA = """
local time = redis.call('TIME')
local second = tonumber(time[1])
local now = (second - tonumber(ARGV[1])) * 1000000 + tonumber(time[2])
local cost, rates = tonumber(ARGV[2]), tonumber(ARGV[11])
local quota, on_quota = tonumber(ARGV[3]), ARGV[4]
local which = second >= tonumber(ARGV[5]) and 2 or 1

local markers = redis.call('MGET', KEYS[4], KEYS[5], KEYS[6], KEYS[7])
if markers[2] or markers[3] or markers[4] then return {4, second, which, -1, 0, 0, -1} end

local used = -1
if quota >= -1 then used = tonumber(redis.call('GET', KEYS[which])) or 0 end

-- Of the first rate: units left, and microseconds until all of them, or with none left one of them, are back.
local function left(tat)
  if rates == 0 then return -1, 0 end
  local interval, burst = tonumber(ARGV[12]), tonumber(ARGV[13])
  local ahead = tat - now
  local units = math.min(burst, math.max(0, math.floor((burst * interval - ahead + 1) / interval)))
  if units > 0 then return units, math.ceil(ahead) end
  return 0, math.ceil(ahead - (burst - 1) * interval)
end

local tats, laters, wait = {now}, {now}, 0
for i = 1, rates do
  local interval, burst = tonumber(ARGV[10 + 2 * i]), tonumber(ARGV[11 + 2 * i])
  tats[i] = math.max(tonumber(redis.call('GET', KEYS[7 + i])) or now, now)
  laters[i] = tats[i] + cost * interval
  -- What costs more than the burst waits for all of it, and is charged in full.
  wait = math.max(wait, laters[i] - now - math.max(burst, cost) * interval)
end
if wait > 1 then
  local units = left(tats[1])
  return {2, second, which, units, math.ceil(wait), math.ceil(wait), used}
end

local exceeded = quota >= 0 and used + cost > quota
if exceeded and on_quota == 'reject' then
  local units, reset = left(tats[1])
  return {3, second, which, units, reset, 0, used}
end
for i = 1, rates do
  redis.call('SET', KEYS[7 + i], string.format('%.3f', laters[i]), 'PX', math.ceil((laters[i] - now) / 1000) + 1)
end
local units, reset = left(laters[1])
if exceeded then return {5, second, which, units, reset, 0, used} end

if used >= 0 then
  used = redis.call('INCRBY', KEYS[which], cost)
  if used == cost then redis.call('EXPIREAT', KEYS[which], ARGV[7 + which]) end
  redis.call('SADD', KEYS[3], ARGV[5 + which])
end
local reply = {markers[1] and 0 or 1, second, which, units, reset, 0, used}
local reads = ARGV[10]
local first, own = 1, 7 + rates
while first <= #reads do
  if string.sub(reads, first, first) == 'g' then
    -- Neighbours at once; MGET takes a key of another type for a missing one.
    local last = (string.find(reads, '[^g]', first) or #reads + 1) - 1
    local values = redis.call('MGET', unpack(KEYS, own + first, own + last))
    for i = first, last do reply[7 + i] = values[i - first + 1] end
    first = last + 1
  else
    local value = redis.pcall('HGETALL', KEYS[own + first])
    -- Likewise: the request is charged by now.
    if type(value) == 'table' and value.err then value = false end
    reply[7 + first] = value
    first = first + 1
  end
end
return reply
"""
_SHA = hashlib.sha1(_LUA.encode(), usedforsecurity=False).hexdigest()


class ScriptVerdict(IntEnum):
    """The script's answer. STATIC: over quota, but the plan gives a static list; the rate is charged."""

    ADMITTED = 0
    REVOCATION_UNKNOWN = 1
    RATE_LIMITED = 2
    QUOTA_EXCEEDED = 3
    REVOKED = 4
    STATIC = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """The script's reply. Durations in microseconds; `remaining` and `used` are None without a limit or a quota."""

    verdict: ScriptVerdict
    second: int
    month: Month
    remaining: int | None
    reset: int
    retry: int
    used: int | None
    values: tuple[Any, ...]


def build_arguments(
    *,
    tenant_id: int,
    client_id: str,
    token_id: str,
    rates: Sequence[Nested],
    quota: Quota | None,
    cost: int,
    months: tuple[Month, Month],
    reads: Sequence[Read],
) -> list[str | int | float]:
    """Number of keys, keys and arguments. What is told of a rate limit is told of the first of `rates`.

    Raises: ValueError for a read of a key without the tenant's hash tag, which would be another tenant's.
    """
    tag = keys.tag(tenant_id)
    wanted = [key for _, key in reads]
    for key in wanted:
        if not key.startswith(tag):
            raise ValueError(f"{key!r} is not a key of tenant {tenant_id}: it must begin with {tag}")
    first, second = months
    limit = -2 if quota is None else -1 if quota.limit is None else quota.limit
    return [
        _OWN_KEYS + len(rates) + len(wanted),
        keys.quota(tenant_id, first.name),
        keys.quota(tenant_id, second.name),
        keys.quota_dirty(tenant_id),
        keys.generation(tenant_id),
        keys.revoked_tenant(tenant_id),
        keys.revoked_client(tenant_id, client_id),
        keys.revoked_token(tenant_id, token_id),
        *(keys.rate(tenant_id, each.rate.name, each.subject) for each in rates),
        *wanted,
        EPOCH,
        cost,
        limit,
        quota.on_quota if quota else "reject",
        first.end,
        first.name,
        second.name,
        first.expires,
        second.expires,
        "".join(_LETTER[command] for command, _ in reads),
        len(rates),
        *(value for each in rates for value in (each.rate.window_seconds * 1e6 / each.rate.count, each.rate.burst)),
    ]


def run(client: Any, given: Sequence[str | int | float]) -> list[Any]:
    """One round trip; two when the server has forgotten the script, which then has done nothing yet."""
    pool = getattr(client, "connection_pool", None)
    raw: list[Any]
    try:
        raw = pool.execute("EVALSHA", _SHA, *given) if isinstance(pool, DirectPool) else client.evalsha(_SHA, *given)
    except NoScriptError:
        raw = client.eval(_LUA, *given)
    return raw


def parse(raw: Sequence[Any], *, months: tuple[Month, Month], reads: Sequence[Read]) -> Reply:
    """The reply; `values` is in the order of `reads`: bytes or None for a get, a dict of bytes for a hgetall."""
    verdict, second, which, remaining, reset, retry, used = raw[:7]
    return Reply(
        verdict=ScriptVerdict(verdict),
        second=second,
        month=months[which - 1],
        remaining=None if remaining < 0 else remaining,
        reset=reset,
        retry=retry,
        used=None if used < 0 else used,
        values=tuple(_value(command, value) for (command, _), value in zip(reads, raw[7:], strict=False)),
    )


def _value(command: str, value: Any) -> Any:
    if command == "get":
        return value
    flat = iter(value or ())
    return dict(zip(flat, flat, strict=True))
