"""The only source of the current time; domain code takes `now` as an argument."""

from datetime import UTC, datetime

from django.db import connection


def now() -> datetime:
    """Returns the current time in UTC."""
    return datetime.now(UTC)  # noqa: TID251


def database_now() -> datetime:
    """The current moment by the database's clock, to the microsecond. Needs no tenant scope."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
