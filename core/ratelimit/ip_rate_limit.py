"""Limits by address for what may be asked without a token: log-ins, tokens, documents.

django-ratelimit counts in Redis, in fixed windows, by IPv4 address or IPv6 /64. Without Redis, or where the count is
lost, the process judges alone by its own bucket at half its share of the limit: never unlimited, and never an error.
"""

import functools
from collections.abc import Callable
from math import ceil
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_ratelimit.core import get_usage

from core import clock, process_caches, redis
from core.http import client_address, problem
from core.ratelimit.local_limiter import AT_ONCE, TIGHT_SHARE, Buckets
from core.ratelimit.metrics import LIMITER_REDIS_ERRORS, RATE_LIMIT_REJECTED
from core.redis import RedisUnavailable

View = Callable[..., HttpResponseBase]
buckets = Buckets()
process_caches.register(buckets.clear)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def wait_seconds(request: HttpRequest, *, policy: str) -> int:
    """Counts the request against `settings.ADDRESS_RATES[policy]`: 0, or in how many seconds to come back."""
    rate = settings.ADDRESS_RATES[policy]
    try:
        usage = redis.call("address_limit", lambda _: _count(request, policy, rate))
        alone = usage is None or not usage["limit"]  # the count was lost between two commands
    except RedisUnavailable:
        usage, alone = None, True
    if alone or usage is None:
        LIMITER_REDIS_ERRORS.inc()
        wait = _alone(client_address.client_ip(request), policy, rate)
    else:
        wait = max(1, usage["time_left"]) if usage["should_limit"] else 0
    if wait:
        RATE_LIMIT_REJECTED.labels(policy).inc()
    return wait


def limited(policy: str, *, methods: frozenset[str] = frozenset({"GET", "HEAD", "POST"})) -> Callable[[View], View]:
    """Puts a view under the policy for these methods; too much is a problem with status 429 and Retry-After."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def limited_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            wait = wait_seconds(request, policy=policy) if request.method in methods else 0
            if not wait:
                return view(request, *args, **kwargs)
            return problem.response(
                status=429,
                detail=f"Too many requests from this address; retry in {wait} s.",
                request=request,
                headers={"Retry-After": str(wait)},
            )

        return limited_view

    return decorate


def _count(request: HttpRequest, policy: str, rate: str) -> dict[str, Any] | None:
    usage: dict[str, Any] | None = get_usage(request, group=policy, key="ip", rate=rate, increment=True)
    return usage


def _alone(address: str, policy: str, rate: str) -> int:
    count, window = _parsed(rate)
    share = TIGHT_SHARE / max(1, settings.RATE_LIMIT_PROCESSES)
    wait = buckets.acquire(
        (address, policy),
        cost=1,
        interval=window / (count * share),
        burst=AT_ONCE * share * count,
        now=clock.now().timestamp(),
    )
    return ceil(wait)


@functools.lru_cache(maxsize=16)
def _parsed(rate: str) -> tuple[int, int]:
    """Count and seconds of a rate such as 60/m or 100/10s (config.env.rate)."""
    count, _, period = rate.partition("/")
    return int(count), int(period[:-1] or 1) * _SECONDS[period[-1]]
