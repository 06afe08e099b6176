"""Failed log-ins, by account: django-axes counts them in the database, beside the limit by address.

An account and an address are refused after a few failures, for a while. An account alone is refused after more of
them, from anywhere but the addresses where its owner has logged in lately: so guessing from many addresses is slow,
and nobody can lock staff out of their own.
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
    """Refuses before any password is looked at. What comes without a request has no address to count by."""

    def authenticate(
        self, request: HttpRequest | None, username: Any = None, password: Any = None, **more: Any
    ) -> None:
        """Raises: PermissionDenied, which ends the log-in."""
        if request is not None:
            super().authenticate(request, username=username, password=password, **more)


class Handler(AxesDatabaseHandler):  # type: ignore[misc]
    """Counts by account and address, as configured, and by account alone."""

    def is_locked(self, request: HttpRequest, credentials: Any = None) -> bool:
        """Whether the log-in is refused."""
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
    """The caller's address, as every limit sees it; of IPv6 the network of 64 bits, which one person has whole."""
    found = ipaddress.ip_address(client_address.of(request))
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False).network_address)


def username(request: HttpRequest, credentials: Any = None) -> str | None:
    """The account's name; of a name that is none, a digest: people type their password into the wrong field."""
    given = (credentials or {}).get("username") or request.POST.get("username")
    if not given:
        return None
    if "\0" not in given and User.objects.filter(username=given).exists():
        return str(given)
    return "unknown:" + hashlib.sha256(str(given).encode("utf-8", "replace")).hexdigest()[:32]


def refused(request: HttpRequest, *_: Any) -> HttpResponse:
    """The answer to a log-in that is not looked at; the same for an account that there is and one that there is not."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    text = render_to_string("admin/accounts/locked_out.html", {"minutes": minutes}, request=request)
    return HttpResponse(text, status=429, headers={"Retry-After": str(minutes * 60), "Cache-Control": "no-store"})


def unlock(name: str) -> int:
    """Forgets the failures of an account; returns how many there were."""
    rows = AccessAttempt.objects.filter(username=name)
    failed = int(rows.aggregate(sum=Sum("failures_since_start"))["sum"] or 0)
    rows.delete()
    return failed


def purge(*, now: datetime) -> int:
    """Deletes what no decision needs any more."""
    gone, _ = AccessAttempt.objects.filter(attempt_time__lt=now - timedelta(days=1)).delete()
    old, _ = AccessLog.objects.filter(attempt_time__lt=now - KNOWN_FOR).delete()
    return int(gone + old)
