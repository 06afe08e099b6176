"""Plan limits as a DRF throttle: every authenticated operation is charged without code in its view."""

from typing import Any

from rest_framework.throttling import BaseThrottle

from accounts.limits import plan_limits
from accounts.tokens import browser_permissions
from core import clock
from core.principal import Principal


class PlanThrottle(BaseThrottle):
    """Charges the request to its tenant's plan, as a read or a write by its method.

    Throttles run after authentication and permissions: a request refused there (401, 403, 405) costs nothing.
    """

    def allow_request(self, request: Any, view: Any) -> bool:
        """Returns true, or raises core.errors.RateLimited or QuotaExceeded, the 429. Anonymous callers have no plan."""
        if isinstance(request.user, Principal):
            plan_limits.charge_request(
                request, now=clock.now(), cost=browser_permissions.request_cost(request.user, request, view)
            )
        return True
