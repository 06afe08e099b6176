"""Rate limiting of one request, together with its caller's reads: one Redis round trip and no SQL."""

from collections.abc import Sequence
from datetime import datetime

import structlog

from core import redis
from core.ratelimit import billing_periods, headers, local_limiter, lua_script, quota
from core.ratelimit.decision import Decision, Outcome
from core.ratelimit.lua_script import Read, Reply, ScriptVerdict
from core.ratelimit.metrics import LIMITER_REDIS_ERRORS, QUOTA_REJECTED, RATE_LIMIT_REJECTED
from core.ratelimit.policies import QUOTA_POLICY, Limits, Nested, RateLimit
from core.redis import RedisUnavailable

_log = structlog.get_logger(__name__)
_OUTCOMES = {
    ScriptVerdict.ADMITTED: Outcome.ADMITTED,
    ScriptVerdict.REVOCATION_UNKNOWN: Outcome.UNKNOWN_REVOCATION,
    ScriptVerdict.RATE_LIMITED: Outcome.RATE_LIMITED,
    ScriptVerdict.QUOTA_EXCEEDED: Outcome.QUOTA_EXCEEDED,
    ScriptVerdict.REVOKED: Outcome.REVOKED,
    ScriptVerdict.STATIC: Outcome.QUOTA_EXCEEDED,
}


def check(
    *,
    tenant_id: int,
    client_id: str,
    token_id: str,
    limits: Limits,
    endpoint_class: str,
    now: datetime,
    cost: int = 1,
    reads: Sequence[Read] = (),
    nested: Sequence[Nested] = (),
) -> Decision:
    """Checks a request against its limits and charges its cost (a batch costs its number of users) if accepted.

    `nested` are narrower limits that hold for this caller besides the tenant's; the headers describe the first.
    `reads` are ("get", key) and ("hgetall", key), each key beginning with the tenant's hash tag (`keys.tag`). The
    server's clock decides; `now` counts only without Redis, and says which months may be meant. Redis is asked once:
    an answer that came too late may have been charged.

    Raises: KeyError for an endpoint class that the limits do not name; ValueError for a cost below 1 or a read of
    another tenant's key.
    """
    if cost < 1:
        raise ValueError(f"A request costs at least 1 unit, not {cost}.")
    own = limits.rates[endpoint_class]
    rates = [*nested, *([Nested(own)] if own else [])]
    rate = rates[0].rate if rates else None
    candidates = billing_periods.candidate_months(now)
    given = lua_script.build_arguments(
        tenant_id=tenant_id,
        client_id=client_id,
        token_id=token_id,
        rates=rates,
        quota=limits.quota,
        cost=cost,
        months=candidates,
        reads=reads,
    )
    try:
        raw = redis.call("limiter", lambda client: lua_script.run(client, given))
    except RedisUnavailable:
        LIMITER_REDIS_ERRORS.inc()
        alone = local_limiter.decide(tenant_id=tenant_id, rates=rates, quota=limits.quota, cost=cost, now=now)
        return _counted(alone, rate)
    reply = lua_script.parse(raw, months=candidates, reads=reads)
    if local_limiter.ledger.owes:
        _settle(tenant_id)
    if reply.verdict in (ScriptVerdict.QUOTA_EXCEEDED, ScriptVerdict.STATIC):
        local_limiter.ledger.used_up(tenant_id, reply.month.name, reply.used or 0)
    return _counted(_decision(reply, limits, rate), rate)


def _decision(reply: Reply, limits: Limits, rate: RateLimit | None) -> Decision:
    outcome = _OUTCOMES[reply.verdict]
    served = outcome in (Outcome.ADMITTED, Outcome.UNKNOWN_REVOCATION)
    return Decision(
        outcome=outcome,
        headers=headers.render(reply, rate=rate, quota=limits.quota),
        values=reply.values if served else None,
        quota_used=reply.used,
        retry_after_seconds=headers.retry_after_seconds(reply),
        static=reply.verdict is ScriptVerdict.STATIC,
    )


def _counted(decision: Decision, rate: RateLimit | None) -> Decision:
    if decision.outcome is Outcome.RATE_LIMITED and rate is not None:
        RATE_LIMIT_REJECTED.labels(rate.name).inc()
    elif decision.outcome is Outcome.QUOTA_EXCEEDED and not decision.static:
        QUOTA_REJECTED.inc()
        RATE_LIMIT_REJECTED.labels(QUOTA_POLICY).inc()  # every 429 is in one counter
    return decision


def _settle(tenant_id: int) -> None:
    """Adds what this process accepted during an outage; once a tenant, so its own round trip costs nothing."""
    for month, owed in local_limiter.ledger.pop_owed(tenant_id).items():
        try:
            quota.add(tenant_id=tenant_id, month=month, units=owed)
        except RedisUnavailable:
            local_limiter.ledger.charge(tenant_id, month, cost=owed, limit=None)
            _log.info("quota_not_settled", tenant_id=tenant_id, units=owed)
