"""Rate limits, quotas and revocation of one request, in one Redis round trip.

Callers give keys, names and limits: nothing here knows what a tenant or a list is.
"""

from core.ratelimit.decision import Decision, Outcome
from core.ratelimit.limiter import check
from core.ratelimit.lua_script import Read
from core.ratelimit.policies import Limits, Nested, Quota, RateLimit

__all__ = ["Decision", "Limits", "Nested", "Outcome", "Quota", "RateLimit", "Read", "check"]
