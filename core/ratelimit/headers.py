"""RateLimit, RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11) and Retry-After (RFC 9110, 10.2.3).

Both are lists of strings with parameters (RFC 9651): `RateLimit-Policy: "read";q=100;w=60` says what is granted,
`RateLimit: "read";r=50;t=30` what is left of it (`r` units) and until when (`t` seconds): until all of it is back; with
nothing left until one unit is; on a refusal until the same request would be served, which is also Retry-After.
"""

from functools import lru_cache

from core.ratelimit.lua_script import Reply, ScriptVerdict
from core.ratelimit.policies import QUOTA_POLICY, Quota, RateLimit

_MICROSECONDS = 1_000_000


def retry_after_seconds(reply: Reply) -> int | None:
    """In how many seconds the same request would be served; None where it was."""
    if reply.verdict is ScriptVerdict.RATE_LIMITED:
        return max(1, _seconds(reply.retry))
    if reply.verdict is ScriptVerdict.QUOTA_EXCEEDED:
        return max(1, reply.month.end - reply.second)
    return None


def render(reply: Reply, *, rate: RateLimit | None, quota: Quota | None) -> dict[str, str]:
    """The headers of an answer; none for a caller without limits or one who is revoked."""
    if reply.verdict is ScriptVerdict.REVOKED:
        return {}
    headers: dict[str, str] = {}
    if policy := _policy(rate, quota, reply.month.seconds):
        headers = {"RateLimit-Policy": policy, "RateLimit": _state(reply, rate, quota)}
    retry = retry_after_seconds(reply)
    if retry is not None:
        headers["Retry-After"] = str(retry)
    return headers


@lru_cache(maxsize=1024)
def _policy(rate: RateLimit | None, quota: Quota | None, month_seconds: int) -> str:
    policies = []
    if rate is not None:
        policies.append(f'"{rate.name}";q={rate.count};w={rate.window_seconds}')
    if quota is not None and quota.limit is not None:
        policies.append(f'"{QUOTA_POLICY}";q={quota.limit};w={month_seconds}')
    return ", ".join(policies)


def _state(reply: Reply, rate: RateLimit | None, quota: Quota | None) -> str:
    states = []
    if rate is not None:
        states.append(f'"{rate.name}";r={reply.remaining or 0};t={_seconds(reply.reset)}')
    if quota is not None and quota.limit is not None:
        left = max(0, quota.limit - (reply.used or 0))
        states.append(f'"{QUOTA_POLICY}";r={left};t={max(0, reply.month.end - reply.second)}')
    return ", ".join(states)


def _seconds(microseconds: int) -> int:
    return -(-microseconds // _MICROSECONDS)
