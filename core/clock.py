"""The one place that asks what time it is; domain code takes `now` as an argument."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current moment in UTC."""
    return datetime.now(UTC)  # noqa: TID251
