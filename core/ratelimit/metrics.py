"""Metrics of the rate limiter. Labels are bounded: the names of policies, never a tenant."""

from prometheus_client import Counter

RATE_LIMIT_REJECTED = Counter(
    "rate_limit_rejected_total", "Requests refused: by a plan's rate or quota, or by an address's.", ["policy"]
)
QUOTA_REJECTED = Counter("quota_rejected_total", "Requests refused because the month's quota was used up.")
LIMITER_REDIS_ERRORS = Counter("limiter_redis_errors_total", "Requests limited locally, because Redis was unreachable.")
