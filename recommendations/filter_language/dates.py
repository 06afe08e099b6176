"""Dates in attributes: RFC 3339 texts in UTC, compared with a precision of seconds."""

import re
from datetime import datetime

# PostgreSQL and Python interpret both patterns alike. `[0-9]` excludes digits of other scripts.
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
SECOND = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?[Z]$"
_DAY, _SECOND = re.compile(DAY), re.compile(SECOND)
LENGTH = 19
MIDNIGHT = "T00:00:00"


def comparable(text: str) -> str | None:
    """The time in a form that sorts chronologically as text; None if the text is not a time."""
    if text.endswith("\n"):
        return None
    if _DAY.match(text):
        return text + MIDNIGHT
    return text[:LENGTH] if _SECOND.match(text) else None


def told(moment: datetime) -> str:
    """A UTC time in the same form."""
    return moment.replace(microsecond=0, tzinfo=None).isoformat()
