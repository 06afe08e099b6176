"""Admission as DRF's throttle: every authenticated operation is charged without a word in its view."""

from typing import Any

from rest_framework.throttling import BaseThrottle

from accounts.limits import plan_limits
from accounts.tokens import browser_tokens
from core import clock
from core.principal import Principal


class PlanThrottle(BaseThrottle):
    """Charges the request to its tenant's plan, as a read or a write by its method.

    It comes after authentication and permission: a request that is refused there (401, 403, 405) costs nothing.
    """

    def allow_request(self, request: Any, view: Any) -> bool:
        """True, or core.errors.RateLimited and QuotaExceeded, which are the 429. An anonymous caller has no plan."""
        if isinstance(request.user, Principal):
            plan_limits.admit(request, now=clock.now(), cost=browser_tokens.cost(request.user, request, view))
        return True
