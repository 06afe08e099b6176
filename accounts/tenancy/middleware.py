"""The admin's scope: a request to /admin/ is one scope, of all tenants or of the user's own."""

from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from accounts.tenancy import scope


class AdminScopeMiddleware:
    """Opens one scope for a whole request, for admin pages only (architecture.md section 4)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Opens the scope of the staff user; other users and pages get none."""
        if not request.path_info.startswith("/admin/"):
            return self.get_response(request)
        user = request.user
        if not user.is_authenticated or not user.is_staff:
            return self.get_response(request)
        if user.tenant_id is not None:
            with scope.tenant(user.tenant_id):
                return self._rendered(request)
        with scope.all_tenants(f"admin: {user.get_username()}"):
            return self._rendered(request)

    def _rendered(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code >= 500:
            # Django has turned an exception into this answer: the scope would commit what came before it.
            transaction.set_rollback(True)
        # Templates read the database lazily: render while the scope stands.
        if hasattr(response, "render") and not getattr(response, "is_rendered", True):
            response.render()
        return response
