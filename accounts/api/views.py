"""The base of views whose reads come along with admission."""

from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.limits import plan_limits
from accounts.models.tenant import READ
from core import clock
from core.errors import ServiceError

# 401, 403 and 405 are told before admission, here as everywhere.
_NOT_ADMITTED = (
    exceptions.NotAuthenticated,
    exceptions.AuthenticationFailed,
    exceptions.PermissionDenied,
    exceptions.MethodNotAllowed,
)


class AdmittedWithReads(APIView):
    """A view that asks for admission itself, together with what it reads, so that both are one round trip.

    A request that fails before the view gets there, as with a bad option, is charged as one unit all the same.
    """

    throttle_classes = ()
    endpoint_class = READ

    def handle_exception(self, exc: Exception) -> Response:
        """As DRF's, after the request has been charged; where that refuses it, its refusal is the answer."""
        authenticated = hasattr(self.request._request, "principal")  # noqa: SLF001  # it stands on Django's request
        if authenticated and not isinstance(exc, _NOT_ADMITTED) and not plan_limits.is_judged(self.request):
            try:
                plan_limits.admit(self.request, now=clock.now(), endpoint_class=self.endpoint_class)
            except (ServiceError, exceptions.AuthenticationFailed) as refusal:
                exc = refusal
        return super().handle_exception(exc)
