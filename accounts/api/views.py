"""Base class of views that read from Redis together with the check of plan limits."""

from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.limits import plan_limits
from accounts.models.tenant import READ
from core import clock
from core.errors import ServiceError

# 401, 403 and 405 precede the check of limits, here as everywhere.
_NOT_ADMITTED = (
    exceptions.NotAuthenticated,
    exceptions.AuthenticationFailed,
    exceptions.PermissionDenied,
    exceptions.MethodNotAllowed,
)


class ChargedWithReads(APIView):
    """A view that charges the request itself, together with its reads, in one round trip.

    A request that fails earlier, as with an invalid option, is charged as one unit nevertheless.
    """

    throttle_classes = ()
    endpoint_class = READ

    def handle_exception(self, exc: Exception) -> Response:
        """Charges the request before DRF's own handling; if that refuses it, the refusal is the response."""
        authenticated = hasattr(self.request._request, "principal")  # noqa: SLF001  # it stands on Django's request
        if authenticated and not isinstance(exc, _NOT_ADMITTED) and not plan_limits.is_charged(self.request):
            try:
                plan_limits.charge_request(self.request, now=clock.now(), endpoint_class=self.endpoint_class)
            except (ServiceError, exceptions.AuthenticationFailed) as refusal:
                exc = refusal
        return super().handle_exception(exc)
