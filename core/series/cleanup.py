"""Retention of the built-in time series."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from core.postgres.batches import delete_in_batches
from core.series.models import MetricBatch, MetricMinute
from core.series.store import REMEMBERED


def purge(*, now: datetime) -> int:
    """Deletes minutes older than SERIES_DAYS and remembered batches, in batches; returns the number of rows."""
    old = MetricMinute.objects.filter(minute__lt=now - timedelta(days=settings.SERIES_DAYS)).order_by("minute")
    stored = MetricBatch.objects.filter(stored_at__lt=now - REMEMBERED).order_by("stored_at")
    return sum(delete_in_batches(rows, scope=transaction.atomic) for rows in (old, stored))
