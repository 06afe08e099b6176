"""Lifetime of staff sessions, and the time of the last proof of identity. Stored in the session."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest

_BEGAN, _SEEN, _PROVED = "staff_began", "staff_seen", "staff_proved"
# The time of the last request is written no more often than this.
_TOUCH_SECONDS = 60.0
# A form that was opened in time may still be sent this much later.
SLACK_SECONDS = 300


def begin(request: HttpRequest, *, now: datetime) -> None:
    """Records a log-in."""
    request.session[_BEGAN] = request.session[_SEEN] = now.timestamp()


def prove(request: HttpRequest, *, now: datetime) -> None:
    """Records a proof of identity: the password, or a code of the device."""
    request.session[_PROVED] = now.timestamp()


def is_proved(request: HttpRequest, *, now: datetime, slack: float = 0) -> bool:
    """Returns true if the last proof is at most STAFF_STEP_UP_SECONDS old."""
    return _age(request.session, _PROVED, now) <= settings.STAFF_STEP_UP_SECONDS + slack


def has_ended(request: HttpRequest, *, now: datetime) -> bool:
    """Returns true if the session is older than SESSION_COOKIE_AGE, or was idle for STAFF_IDLE_SECONDS.

    Each save of a session extends it, so Django's own age only measures idleness. A session without a start has ended.
    """
    session = request.session
    too_old = _age(session, _BEGAN, now) > settings.SESSION_COOKIE_AGE
    return too_old or _age(session, _SEEN, now) > settings.STAFF_IDLE_SECONDS + _TOUCH_SECONDS


def touch(request: HttpRequest, *, now: datetime) -> None:
    """Records activity."""
    if _age(request.session, _SEEN, now) > _TOUCH_SECONDS:
        request.session[_SEEN] = now.timestamp()


def _age(session: Any, name: str, now: datetime) -> float:
    moment = session.get(name)
    return now.timestamp() - moment if isinstance(moment, int | float) else float("inf")
