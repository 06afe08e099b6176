"""Metrics of the rate limiter."""

from core.metrics.families import counter

POLICIES = [
    "read",
    "write",
    "browser-read",
    "browser-write",
    "browsers-read",
    "browsers-write",
    "quota",
    "token",
    "admin_login",
    "public",
]

RATE_LIMIT_REJECTED = counter(
    "rate_limit_rejected_total",
    "Requests refused with 429: by a plan's rate or quota, a browser token's, or an address's.",
    {"policy": POLICIES},
    from_zero=True,
)
QUOTA_REJECTED = counter("quota_rejected_total", "Requests refused because the month's quota was used up.")
LIMITER_REDIS_ERRORS = counter("limiter_redis_errors_total", "Requests limited locally, because Redis was unreachable.")
