"""Access to the admin: ends sessions, and asks for the second factor where there is one or must be one."""

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.staff import second_factor, sessions
from core import clock

ADMIN, OWN_PAGES = "/admin/", "/admin/second-factor/"
# Reached without a second factor: to log in and out, and to give or set up the factor.
_OPEN = ("/admin/login/", "/admin/logout/", "/admin/jsi18n/", OWN_PAGES)


class StaffAccessMiddleware:
    """Runs before the admin's scope: refused requests never read a tenant's row."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes other pages and anonymous requests on unchanged."""
        if not request.path_info.startswith(ADMIN) or not request.user.is_authenticated:
            return self.get_response(request)
        now = clock.now()
        if sessions.has_ended(request, now=now):
            logout(request)
            if request.path_info.startswith(_OPEN[:2]):
                return self.get_response(request)
            return _to(reverse("admin:login"), request)
        sessions.touch(request, now=now)
        if request.user.is_staff and not request.path_info.startswith(_OPEN) and (page := _missing(request)):
            return _to(reverse(page), request)
        return self.get_response(request)


def _missing(request: HttpRequest) -> str:
    """Returns the page that asks for the missing factor; empty if nothing is missing."""
    if getattr(request.user, "otp_device", None) is not None:
        return ""
    if second_factor.get_device(request.user) is not None:
        return "second-factor"
    return "second-factor-enrol" if second_factor.is_required(request.user) else ""


def _to(page: str, request: HttpRequest) -> HttpResponse:
    wanted = request.get_full_path() if request.method in {"GET", "HEAD"} else ADMIN
    return HttpResponseRedirect(f"{page}?{urlencode({'next': wanted})}")
