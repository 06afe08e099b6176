"""When something happened: Unix seconds and RFC 3339 timestamps, and numbers and dates that only look like one.

A wrong unit is no slip of one row: a whole history ends up in 1970, without order, and retention may delete it. So what
is no plausible time is refused, with a word on what it probably is.
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
_NO_TIME = "means that no time was given: leave it out."
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}


class NoMoment(ValueError):
    """This is no moment; says why. `code` is a stable word for it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class _Guess(NamedTuple):
    low: float
    high: float
    is_like: str


# What a small number probably is: the first that fits. The ranges are those of the years 1950 to 2150.
_SMALL = (
    _Guess(1900, 2200, "a year"),
    _Guess(7_000, 66_000, "days since 1970, or an Excel date (days since 1900)"),
    _Guess(66_000, 92_000, "an Excel date (days since 1900)"),
    _Guess(190_001, 215_012, "a year and a month"),
    _Guess(175_000, 1_600_000, "hours since 1970"),
    _Guess(19_000_101, 21_501_231, "a date written as YYYYMMDD"),
    _Guess(10_000_000, MIN_SECONDS, "minutes since 1970"),
)


def timestamp(value: str) -> datetime:
    """An RFC 3339 timestamp with its offset, in UTC.

    Raises: NoMoment.
    """
    if not _RFC3339.match(value):
        raise NoMoment(
            "not_a_timestamp", "Must be an RFC 3339 timestamp with its offset, such as 2026-03-01T08:30:00Z."
        )
    try:
        found = datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NoMoment("not_a_timestamp", "There is no such date or time.") from None
    if found.year < MIN_YEAR:
        raise NoMoment("no_time", f"A year before {MIN_YEAR} {_NO_TIME}")
    return found


def occurrence(value: str) -> datetime:
    """As `timestamp`; the beginning of Unix time is a missing value that was written out.

    Raises: NoMoment.
    """
    found = timestamp(value)
    if found == _EPOCH:
        raise NoMoment("no_time", f"1970-01-01T00:00:00Z {_NO_TIME}")
    return found


def unix_seconds(seconds: float) -> datetime:
    """The moment of a plausible Unix time.

    Raises: NoMoment, saying what the number looks like.
    """
    if seconds < 0:
        raise NoMoment("too_early", "Unix seconds must not be negative; use RFC 3339 before 1970.")
    if seconds == 0:
        raise NoMoment("no_time", f"0 {_NO_TIME}")
    if seconds < MIN_SECONDS:
        raise NoMoment("implausible_time", _small(seconds))
    if seconds >= MAX_SECONDS:
        raise NoMoment("in_future", _large(seconds))
    return datetime.fromtimestamp(seconds, UTC)


def digits_hint(seconds: float) -> str:
    """What a moment that lies ahead may be if it was meant for another: a date and an hour in ten digits."""
    if 1_900_010_100 <= seconds <= 2_150_123_123:
        return " It looks like YYYYMMDDhh: write 2026-03-01T08:00:00Z."
    return " Unix time is in seconds, not milliseconds."


def _small(seconds: float) -> str:
    looks = next((guess.is_like for guess in _SMALL if guess.low <= seconds <= guess.high), "no time")
    return (
        f"{seconds:.15g} are no plausible Unix seconds, which have ten digits today; it looks like {looks}. "
        "Write it as 2026-03-01T08:30:00Z."
    )


def _large(seconds: float) -> str:
    text = f"{seconds:.0f}"
    if len(text) in (12, 14, 17) and text[:2] in ("19", "20", "21") and "01" <= text[4:6] <= "12":
        return f"{text[:20]} looks like a date and a time in digits: write it as 2026-03-01T08:30:00Z."
    for unit, factor in UNITS.items():
        if MIN_SECONDS <= seconds / factor < MAX_SECONDS:
            return f"This looks like {unit}: divide by {factor:,}, or say so of a file (--time-unit {unit})."
    return "There is no such moment. Unix time is in seconds, not milliseconds."
