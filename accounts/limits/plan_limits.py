"""Plan limits of API requests: checked once per request; the decision is kept on the request.

The outermost middleware adds the decision's headers to every response. Postgres is the truth about revocations, and
authentication has already checked the process's copy of it; if Redis cannot tell, the request goes on.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

import structlog
from django.db import Error
from django.http import HttpRequest
from psycopg_pool import PoolTimeout
from rest_framework import exceptions
from rest_framework.request import Request

from accounts.limits import usage
from accounts.models.tenant import READ, WRITE, BrowserLimits
from accounts.tenancy import scope, tenant_cache
from accounts.tokens import revocations
from core import ratelimit
from core.errors import QuotaExceeded, RateLimited
from core.principal import Principal
from core.ratelimit import Decision, Limits, Nested, Outcome, Read, revocation_markers
from core.ratelimit.revocation_markers import Revoked
from core.redis import RedisUnavailable

_log = structlog.get_logger(__name__)
_REVOKED = "The token, its client or its tenant has been revoked."
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def charge_request(
    request: Request,
    *,
    now: datetime,
    endpoint_class: str = "",
    cost: int = 1,
    reads: Sequence[Read] = (),
    has_static: bool = False,
    of_quota: bool = True,
) -> Decision:
    """Charges an authenticated request to its tenant's plan and fetches the `reads`, in one round trip to Redis.

    `endpoint_class` is the method's, read or write, unless given. `has_static`: the caller has a static list for
    tenants over their quota, which `Decision.static` then asks for. Without `of_quota` the request does not count
    towards the monthly quota, and is served when that is exhausted.

    Raises: RateLimited, QuotaExceeded; AuthenticationFailed for a caller who was revoked since authentication.
    """
    http_request = request._request  # noqa: SLF001  # DRF offers no other way to Django's request
    principal: Principal = http_request.principal  # type: ignore[attr-defined]
    facts = tenant_cache.tenant(principal.tenant_id)
    if facts is None:
        raise exceptions.AuthenticationFailed("The tenant is no longer active.")
    kind = endpoint_class or (READ if request.method in _SAFE else WRITE)
    limits = _limits(facts.limits, has_static=has_static, of_quota=of_quota)
    nested: Sequence[Nested] = ()
    if principal.user_id:
        limits, nested = _browser_limits(limits, facts.browsers, kind, principal.user_id)
    decision = _made_before(http_request, principal, cost, reads) or ratelimit.check(
        tenant_id=principal.tenant_id,
        client_id=principal.client_id,
        token_id=principal.token_id,
        limits=limits,
        endpoint_class=kind,
        now=now,
        cost=cost,
        reads=reads,
        nested=nested,
    )
    http_request.rate_limit_decision = decision  # type: ignore[attr-defined]
    if decision.outcome is Outcome.UNKNOWN_REVOCATION and decision.exact:
        _recover(principal, now)
    _refuse(decision)
    return decision


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge that was made before the request reached its view, with what was read: `charge_request` takes it over.

    Its key in the WSGI environment is no header's, so that no caller can set it.
    """

    KEY: ClassVar[str] = "docent.charge"

    decision: Decision
    principal: Principal
    cost: int
    reads: Sequence[Read]


def charge_list_read(principal: Principal, *, now: datetime, cost: int, reads: Sequence[Read]) -> Charge:
    """Charges a read of lists of a caller with a client's token, as `charge_request` does, and refuses nothing.

    Raises: KeyError where the tenant is no longer known.
    """
    decision = ratelimit.check(
        tenant_id=principal.tenant_id,
        client_id=principal.client_id,
        token_id=principal.token_id,
        limits=tenant_cache.current().tenants[principal.tenant_id].limits,
        endpoint_class=READ,
        now=now,
        cost=cost,
        reads=reads,
    )
    return Charge(decision, principal, cost, reads)


def _made_before(http_request: HttpRequest, principal: Principal, cost: int, reads: Sequence[Read]) -> Decision | None:
    """Takes over a charge of the same caller for the same reads; a request that failed early has read nothing."""
    charge: Charge | None = http_request.META.pop(Charge.KEY, None)
    if charge is None or charge.principal != principal or (reads and (charge.cost, charge.reads) != (cost, reads)):
        return None
    return charge.decision


def is_charged(request: Request) -> bool:
    """Returns true if the request has been charged or refused already."""
    return hasattr(request._request, "rate_limit_decision")  # noqa: SLF001  # likewise


def _limits(limits: Limits, *, has_static: bool, of_quota: bool) -> Limits:
    """Returns the plan's limits for one operation: without a static list, a request over quota is refused."""
    if limits.quota is None or (of_quota and (has_static or limits.quota.on_quota == "reject")):
        return limits
    return replace(limits, quota=replace(limits.quota, on_quota="reject") if of_quota else None)


def _browser_limits(
    limits: Limits, browsers: BrowserLimits, kind: str, user_id: str
) -> tuple[Limits, Sequence[Nested]]:
    """Adds the user's own rate and that of all browsers; of the quota, browsers may use the part not reserved."""
    subject = hashlib.blake2b(user_id.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    each, together = browsers.each.get(kind), browsers.together.get(kind)
    nested = [*([Nested(each, subject)] if each else []), *([Nested(together)] if together else [])]
    if limits.quota is not None and limits.quota.limit is not None:
        limits = replace(limits, quota=replace(limits.quota, limit=browsers.quota))
    return limits, nested


def _refuse(decision: Decision) -> None:
    seconds = decision.retry_after_seconds
    if decision.outcome is Outcome.RATE_LIMITED:
        raise RateLimited(f"Too many requests; try again in {seconds} s.", retry_after_seconds=seconds)
    if decision.outcome is Outcome.QUOTA_EXCEEDED and not decision.static:
        raise QuotaExceeded(
            "The month's requests are used up; the plan says how many there are.", retry_after_seconds=seconds
        )
    if decision.outcome is Outcome.REVOKED:
        raise exceptions.AuthenticationFailed(_REVOKED)


def _recover(principal: Principal, now: datetime) -> None:
    """Reloads revocations and the month's usage from Postgres, after a loss of Redis and once an hour.

    Raises: AuthenticationFailed for a revoked caller that Redis had lost.
    """
    tenant_id = principal.tenant_id
    try:
        with scope.tenant(tenant_id):
            known = revocations.tenant_revocations(tenant_id=tenant_id, now=now)
    except (Error, PoolTimeout) as error:
        _log.warning("revocations_not_loaded", tenant_id=tenant_id, error=str(error))
        return  # authentication has asked the process's copy; the next request tries again
    try:
        usage.restore(tenant_id=tenant_id, now=now)
    except (Error, PoolTimeout) as error:
        _log.warning("usage_not_restored", tenant_id=tenant_id, error=str(error))  # the minute's job will
    except RedisUnavailable:
        _log.info("usage_not_restored", tenant_id=tenant_id)
    with suppress(RedisUnavailable):  # the next request tries again
        revocation_markers.load(tenant_id=tenant_id, revoked=known)
    if any(_applies_to(each, principal) for each in known):
        raise exceptions.AuthenticationFailed(_REVOKED)


def _applies_to(revoked: Revoked, principal: Principal) -> bool:
    return {
        "tenant": True,
        "client": revoked.name == principal.client_id,
        "token": revoked.name in (principal.token_id, principal.issuer_token_id),
    }[revoked.kind]
