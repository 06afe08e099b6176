"""Limits of a caller: a rate for each class of endpoint, and a monthly quota. Data only."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# A policy's name stands in a Redis key, a metric's label and a structured field's string (RFC 9651, 3.3.3).
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# The monthly quota's name in the headers; a rate limit may not have it.
QUOTA_POLICY = "quota"
# The largest integer of a structured field (RFC 9651, 3.3.1).
LARGEST = 999_999_999_999_999


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`count` units in `window_seconds`, spread evenly; at most `burst` of them at once.

    A fresh caller may use `burst` units at once, and in any `s` seconds at most `burst + s * count / window_seconds`.

    Raises: ValueError for a name or a number that no header could carry.
    """

    name: str
    count: int
    window_seconds: int
    burst: int

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} is no policy name: a to z first, then a to z, 0 to 9, _ and -; at most 32."
            )
        if self.name == QUOTA_POLICY:
            raise ValueError(f"{QUOTA_POLICY!r} is the name of the monthly quota: give the rate limit another one.")
        for what in ("count", "window_seconds", "burst"):
            _within(what, getattr(self, what), minimum=1)


@dataclass(frozen=True, slots=True)
class Nested:
    """A narrower limit inside the tenant's, for callers that are trusted less; `subject` says whose it is."""

    rate: RateLimit
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """Units in a calendar month (UTC). `limit` None counts without limiting.

    `on_quota` says what a caller gets who has used them up: a refusal, or a static list.

    Raises: ValueError for a negative or too large limit.
    """

    limit: int | None
    on_quota: Literal["reject", "static"] = "reject"

    def __post_init__(self) -> None:
        if self.limit is not None:
            _within("limit", self.limit, minimum=0)


@dataclass(frozen=True, slots=True)
class Limits:
    """All that holds for a caller: a rate for each endpoint class (None: unlimited), and the quota (None: not counted).

    A class that is not named at all is not unlimited: asking for it raises KeyError.
    """

    rates: Mapping[str, RateLimit | None] = field(hash=False)
    quota: Quota | None = None


def _within(what: str, value: int, *, minimum: int) -> None:
    if not minimum <= value <= LARGEST:
        raise ValueError(f"{what} must be from {minimum} to {LARGEST}, not {value}.")
