"""Dates in free attributes: texts of RFC 3339 in UTC, compared to the second."""

import re
from datetime import datetime

# PostgreSQL reads both patterns as Python does. `[0-9]`: digits of other scripts are none here.
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
SECOND = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?[Z]$"
_DAY, _SECOND = re.compile(DAY), re.compile(SECOND)
LENGTH = 19
MIDNIGHT = "T00:00:00"


def comparable(text: str) -> str | None:
    """The moment that the text tells, so that order of texts is order of moments; None where it tells none."""
    if text.endswith("\n"):
        return None
    if _DAY.match(text):
        return text + MIDNIGHT
    return text[:LENGTH] if _SECOND.match(text) else None


def told(moment: datetime) -> str:
    """A moment (UTC) in that form."""
    return moment.replace(microsecond=0, tzinfo=None).isoformat()
