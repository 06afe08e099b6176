"""The one place that asks what time it is; domain code takes `now` as an argument."""

from datetime import UTC, datetime

from django.db import connection


def now() -> datetime:
    """The current moment in UTC."""
    return datetime.now(UTC)  # noqa: TID251


def database_now() -> datetime:
    """The current moment by the database's clock, to the microsecond. Needs no tenant scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
