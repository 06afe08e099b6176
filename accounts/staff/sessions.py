"""How long staff stay logged in, and how recently they have proved who they are. It stands in the session."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest

_BEGAN, _SEEN, _PROVED = "staff_began", "staff_seen", "staff_proved"
# The moment of the last request is written no more often than this.
_TOUCH_SECONDS = 60.0
# A form that was opened in time may still be sent this much later.
SLACK_SECONDS = 300


def begin(request: HttpRequest, *, now: datetime) -> None:
    """Somebody has logged in."""
    request.session[_BEGAN] = request.session[_SEEN] = now.timestamp()


def prove(request: HttpRequest, *, now: datetime) -> None:
    """They have just given their password, or a code where they have a device."""
    request.session[_PROVED] = now.timestamp()


def is_proved(request: HttpRequest, *, now: datetime, slack: float = 0) -> bool:
    """Whether they did so at most STAFF_STEP_UP_SECONDS ago."""
    return _age(request.session, _PROVED, now) <= settings.STAFF_STEP_UP_SECONDS + slack


def has_ended(request: HttpRequest, *, now: datetime) -> bool:
    """Whether the session is older than SESSION_COOKIE_AGE, or was idle for STAFF_IDLE_SECONDS.

    Each save of a session prolongs it, so that Django's own age is one of idleness; and one from before these limits
    has no beginning, and has ended.
    """
    session = request.session
    too_old = _age(session, _BEGAN, now) > settings.SESSION_COOKIE_AGE
    return too_old or _age(session, _SEEN, now) > settings.STAFF_IDLE_SECONDS + _TOUCH_SECONDS


def touch(request: HttpRequest, *, now: datetime) -> None:
    """They are still there."""
    if _age(request.session, _SEEN, now) > _TOUCH_SECONDS:
        request.session[_SEEN] = now.timestamp()


def _age(session: Any, name: str, now: datetime) -> float:
    moment = session.get(name)
    return now.timestamp() - moment if isinstance(moment, int | float) else float("inf")
