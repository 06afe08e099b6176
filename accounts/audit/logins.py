"""Log-ins, failed ones, lock-outs and log-outs of staff, as entries. Connected by AccountsConfig.ready."""

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.audit.actors import request_actor
from accounts.audit.record import Target, record
from accounts.models import AuditEntry, User
from accounts.staff import second_factor, sessions
from core import clock


@receiver(user_logged_in, dispatch_uid="audit_logged_in")
def _logged_in(request: HttpRequest | None = None, user: Any = None, **_: Any) -> None:
    if request is None or not isinstance(user, User):
        return
    now = clock.now()
    sessions.begin(request, now=now)
    if second_factor.get_device(user) is None:
        sessions.prove(request, now=now)
    _record(request, user, "logged_in")


@receiver(user_logged_out, dispatch_uid="audit_logged_out")
def _logged_out(request: HttpRequest | None = None, user: Any = None, **_: Any) -> None:
    if request is not None and isinstance(user, User):
        _record(request, user, "logged_out")


@receiver(user_login_failed, dispatch_uid="audit_log_in_failed")
def _failed(request: HttpRequest | None = None, credentials: Any = None, **_: Any) -> None:
    """Records failures of existing accounts only: anybody may type any name, as often as they like."""
    if request is not None and not (getattr(request, "axes_locked_out", False) and not _counted(request)):
        user = _find_user(credentials)
        if user is not None:
            _record(request, user, "log_in_failed", outcome=AuditEntry.Outcome.REFUSED)


@receiver(user_locked_out, dispatch_uid="audit_locked_out")
def _locked_out(request: HttpRequest | None = None, username: Any = None, **_: Any) -> None:
    """Records a lock-out once, not every attempt refused because of it."""
    if request is not None and _counted(request):
        user = _find_user({"username": username})
        if user is not None:
            _record(request, user, "locked_out", outcome=AuditEntry.Outcome.REFUSED)


def _counted(request: HttpRequest) -> bool:
    """Returns true if a password was checked: attempts refused because of a lock are not counted."""
    return getattr(request, "axes_failures_since_start", None) is not None


def _find_user(credentials: Any) -> User | None:
    name = str((credentials or {}).get("username") or "")
    return User.objects.filter(username=name).first() if name and "\0" not in name else None


def _record(request: HttpRequest, user: User, action: str, outcome: str = AuditEntry.Outcome.DONE) -> None:
    record(
        actor=request_actor(request, user),
        action=action,
        now=clock.now(),
        target=Target.from_row(user),
        outcome=outcome,
    )
