"""Failed log-ins, by account: django-axes counts them in the database, beside the limit by address.

A pair of account and address is refused after a few failures, for a while. An account is refused after more of them,
except from addresses where its owner has logged in recently: guessing from many addresses is slow, and an attacker
cannot lock staff out.
"""

import hashlib
import ipaddress
from datetime import datetime, timedelta
from typing import Any

from axes.backends import AxesStandaloneBackend
from axes.handlers.database import AxesDatabaseHandler
from axes.helpers import get_client_username
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from accounts.models import User
from core import clock
from core.http import client_address

KNOWN_FOR = timedelta(days=30)


class Backend(AxesStandaloneBackend):  # type: ignore[misc]  # the library has no types
    """Refuses before any password is checked. Calls without a request have no address to count by."""

    def authenticate(
        self, request: HttpRequest | None, username: Any = None, password: Any = None, **more: Any
    ) -> None:
        """Raises: PermissionDenied, which ends the log-in."""
        if request is not None:
            super().authenticate(request, username=username, password=password, **more)


class Handler(AxesDatabaseHandler):  # type: ignore[misc]
    """Counts failures by account and address, as configured, and by account alone."""

    def is_locked(self, request: HttpRequest, credentials: Any = None) -> bool:
        """Returns true if the log-in is refused."""
        return bool(super().is_locked(request, credentials)) or self._is_guessed_at(request, credentials)

    def _is_guessed_at(self, request: HttpRequest, credentials: Any) -> bool:
        name, now = get_client_username(request, credentials), clock.now()
        since = now - settings.AXES_COOLOFF_TIME
        failed = AccessAttempt.objects.filter(username=name, attempt_time__gt=since)
        if int(failed.aggregate(sum=Sum("failures_since_start"))["sum"] or 0) < settings.STAFF_ACCOUNT_FAILURES:
            return False
        own = AccessLog.objects.filter(username=name, ip_address=address(request), attempt_time__gt=now - KNOWN_FOR)
        return not own.exists()


def address(request: HttpRequest) -> str:
    """Returns the caller's address as all limits see it; for IPv6 the /64 network, which belongs to one subscriber."""
    found = ipaddress.ip_address(client_address.client_ip(request))
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False).network_address)


def username(request: HttpRequest, credentials: Any = None) -> str | None:
    """Returns the account's name; for an unknown name a digest: passwords get typed into the wrong field."""
    given = (credentials or {}).get("username") or request.POST.get("username")
    if not given:
        return None
    if "\0" not in given and User.objects.filter(username=given).exists():
        return str(given)
    return "unknown:" + hashlib.sha256(str(given).encode("utf-8", "replace")).hexdigest()[:32]


def refused(request: HttpRequest, *_: Any) -> HttpResponse:
    """Returns the response to a locked log-in, the same for existing and unknown accounts."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    text = render_to_string("admin/accounts/locked_out.html", {"minutes": minutes}, request=request)
    return HttpResponse(text, status=429, headers={"Retry-After": str(minutes * 60), "Cache-Control": "no-store"})


def unlock(name: str) -> int:
    """Deletes the recorded failures of an account; returns how many there were."""
    rows = AccessAttempt.objects.filter(username=name)
    failed = int(rows.aggregate(sum=Sum("failures_since_start"))["sum"] or 0)
    rows.delete()
    return failed


def purge(*, now: datetime) -> int:
    """Deletes records that no decision needs any more."""
    gone, _ = AccessAttempt.objects.filter(attempt_time__lt=now - timedelta(days=1)).delete()
    old, _ = AccessLog.objects.filter(attempt_time__lt=now - KNOWN_FOR).delete()
    return int(gone + old)
