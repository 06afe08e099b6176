"""Parsing of times: Unix seconds, RFC 3339 timestamps, and values that only look like one.

A wrong unit affects more than one row: a whole history ends up in 1970, without order, and retention may delete it. So
implausible times are rejected, with a guess at what they are.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

# 3 March 1973. Below it are days, hours and minutes since 1970, Excel's serial dates, years and dates in digits.
MIN_SECONDS = 10**8
# The year 5138. Above it are milliseconds, microseconds, and dates with a time in digits.
MAX_SECONDS = 10**11
MIN_YEAR = 1900
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})\Z", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_TIME = "usually means that there is no time; omit the field."
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}


class InvalidTime(ValueError):
    """Not a valid time. `code` is a stable identifier of the reason."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class _Guess(NamedTuple):
    low: float
    high: float
    is_like: str


# Guesses at small numbers; the first that fits is taken. The ranges cover the years 1950 to 2150.
_GUESSES = (
    _Guess(1900, 2200, "a year"),
    _Guess(7_000, 66_000, "days since 1970, or an Excel date (days since 1900)"),
    _Guess(66_000, 92_000, "an Excel date (days since 1900)"),
    _Guess(190_001, 215_012, "a year and a month"),
    _Guess(175_000, 1_600_000, "hours since 1970"),
    _Guess(19_000_101, 21_501_231, "a date written as YYYYMMDD"),
    _Guess(10_000_000, MIN_SECONDS, "minutes since 1970"),
)


def timestamp(value: str) -> datetime:
    """Parses an RFC 3339 timestamp with UTC offset; returns it in UTC.

    Raises: InvalidTime.
    """
    if not _RFC3339.match(value):
        raise InvalidTime(
            "not_a_timestamp", "Must be an RFC 3339 timestamp with UTC offset, such as 2026-03-01T08:30:00Z."
        )
    try:
        parsed = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidTime("not_a_timestamp", "No such date or time.") from None
    if parsed.year < MIN_YEAR:
        raise InvalidTime("no_time", f"A year before {MIN_YEAR} {_NO_TIME}")
    return parsed


def event_timestamp(value: str) -> datetime:
    """Parses the time of an event like `timestamp`; the start of Unix time is an exported missing value.

    Raises: InvalidTime.
    """
    parsed = timestamp(value)
    if parsed == _EPOCH:
        raise InvalidTime("no_time", f"1970-01-01T00:00:00Z {_NO_TIME}")
    return parsed


def unix_seconds(seconds: float) -> datetime:
    """Converts a plausible Unix time.

    Raises: InvalidTime, with a guess at what the number is.
    """
    if seconds < 0:
        raise InvalidTime("too_early", "Unix seconds must not be negative; use RFC 3339 for times before 1970.")
    if seconds == 0:
        raise InvalidTime("no_time", f"0 {_NO_TIME}")
    if seconds < MIN_SECONDS:
        raise InvalidTime("implausible_time", _explain_small(seconds))
    if seconds >= MAX_SECONDS:
        raise InvalidTime("in_future", _explain_large(seconds))
    return datetime.fromtimestamp(seconds, UTC)


def digits_hint(seconds: float) -> str:
    """A hint at what a time in the future may have been meant as: a date and hour in ten digits, or milliseconds."""
    if 1_900_010_100 <= seconds <= 2_150_123_123:
        return " It looks like YYYYMMDDhh: write 2026-03-01T08:00:00Z."
    return " Unix time is in seconds, not milliseconds."


def _explain_small(seconds: float) -> str:
    looks = next((guess.is_like for guess in _GUESSES if guess.low <= seconds <= guess.high), "something else")
    return (
        f"{seconds:.15g} is not a plausible Unix time, which has ten digits today; it looks like {looks}. "
        "Write it as 2026-03-01T08:30:00Z."
    )


def _explain_large(seconds: float) -> str:
    text = f"{seconds:.0f}"
    if len(text) in (12, 14, 17) and text[:2] in ("19", "20", "21") and "01" <= text[4:6] <= "12":
        return f"{text[:20]} looks like a date and time in digits: write it as 2026-03-01T08:30:00Z."
    for unit, factor in UNITS.items():
        if MIN_SECONDS <= seconds / factor < MAX_SECONDS:
            return f"This looks like {unit}: divide by {factor:,}, or for a file set --time-unit {unit}."
    return "No such time. Unix time is in seconds, not milliseconds."
