"""Parsing of times in files: timestamps with and without an offset, dates, and Unix times, as text or number.

Results are RFC 3339 texts or Unix seconds, which the readers of fields check.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from recommendations.catalog import timestamps
from recommendations.catalog.timestamps import InvalidTime

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\Z", re.ASCII)
_TIME = re.compile(
    r"(?P<date>\d{4}[-/]\d{2}[-/]\d{2})"
    r"(?:[Tt ](?P<time>\d{2}:\d{2})(?P<seconds>:\d{2})?(?P<fraction>[.,]\d+)?)?"
    r"(?: ?(?P<zone>[Zz]|UTC|GMT|[+-]\d{2}(?::?\d{2})?(?: UTC)?))?\Z",
    re.ASCII,
)
NAIVE = (
    "Has no UTC offset. Set the time zone of the file (--timezone Europe/Berlin on the command line, "
    "timezone=Europe/Berlin in the API), or write 2026-03-01T08:30:00Z."
)


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """The time zone of times without an offset, and the unit of numbers."""

    zone: ZoneInfo | None = None
    unit: str = "seconds"

    def read(self, value: Any) -> Any:
        """Converts a value to RFC 3339 or Unix seconds; values that are neither text nor number pass unchanged.

        Raises: NoMoment.
        """
        if isinstance(value, str):
            text = value.strip()
            if not _NUMBER.match(text):
                return self._stamp(text)
            value = float(text) if len(text) < 64 else float("inf")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        try:
            return value / timestamps.UNITS[self.unit]
        except OverflowError:  # an integer beyond the range of doubles
            return float("inf")

    def _stamp(self, text: str) -> str:
        match = _TIME.match(text)
        if match is None:
            raise InvalidTime("not_a_timestamp", _unlike(text))
        time = f"{match['time'] or '00:00'}{match['seconds'] or ':00'}{(match['fraction'] or '').replace(',', '.')}"
        stamp = f"{match['date'].replace('/', '-')}T{time}"
        if match["zone"]:
            return stamp + _offset(match["zone"])
        if self.zone is None:
            raise InvalidTime("naive_time", NAIVE)
        try:
            return datetime.fromisoformat(_microseconds(stamp)).replace(tzinfo=self.zone).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            raise InvalidTime("not_a_timestamp", "No such date or time.") from None


def zone(name: str) -> ZoneInfo:
    """The time zone with this IANA name, such as Europe/Berlin or UTC.

    Raises: ValueError.
    """
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", name, re.ASCII):
        raise ValueError(name)
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(name) from None


def _offset(text: str) -> str:
    sign = text.removesuffix(" UTC")
    if sign.upper() in ("Z", "UTC", "GMT"):
        return "Z"
    digits = sign[1:].replace(":", "")
    return f"{sign[0]}{digits[:2]}:{digits[2:] or '00'}"


def _microseconds(stamp: str) -> str:
    """Truncates fractions of a second to six digits, which is what Python parses."""
    whole, point, fraction = stamp.partition(".")
    return f"{whole}{point}{fraction[:6]}"


def _unlike(text: str) -> str:
    if re.match(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}", text):
        return "Day and month are ambiguous: write 2026-03-01T08:30:00Z."
    return "Must be Unix seconds or an RFC 3339 timestamp, such as 2026-03-01T08:30:00Z."
