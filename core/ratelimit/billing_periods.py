"""Billing periods of quotas: calendar months in UTC."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

# A counter outlives its month, for the last flush and for disputes.
KEPT_SECONDS = 62 * 86_400
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Month:
    """A month: `2026-11`, and its bounds as unix seconds, `end` being the first second of the next."""

    name: str
    start: int
    end: int

    @property
    def seconds(self) -> int:
        """Its length."""
        return self.end - self.start

    @property
    def expires(self) -> int:
        """Until when its counter is kept, as a unix second."""
        return self.end + KEPT_SECONDS


def parse(name: str) -> Month:
    """Returns the month of that name.

    Raises: ValueError unless it is `YYYY-MM`.
    """
    first = datetime.strptime(name, "%Y-%m").replace(tzinfo=UTC).date()
    month = _month(first)
    if month.name != name:
        raise ValueError(f"{name!r} is no month: write it as YYYY-MM.")
    return month


def month_at(now: datetime) -> Month:
    """Returns the month of a moment."""
    return _month(now.astimezone(UTC).date().replace(day=1))


def candidate_months(now: datetime) -> tuple[Month, Month]:
    """Returns the month of yesterday and the one after it: one of them is the server's.

    Right as long as this machine's clock is at most a day ahead of Redis's, or some weeks behind.
    """
    return _candidate_months(now.astimezone(UTC).date())


@lru_cache(maxsize=4)
def _candidate_months(today: date) -> tuple[Month, Month]:
    first = (today - _DAY).replace(day=1)
    return _month(first), _month(_next(first))


@lru_cache(maxsize=64)
def _month(first: date) -> Month:
    return Month(name=f"{first:%Y-%m}", start=_unix(first), end=_unix(_next(first)))


def _next(first: date) -> date:
    return (first + 31 * _DAY).replace(day=1)


def _unix(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
