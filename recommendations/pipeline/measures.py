"""Measures of recommendations: the age of lists, users who wait for near line, batches that wait in the stream."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Exists, Min, OuterRef

from accounts.tenancy import scope
from core.metrics.families import Value
from recommendations.attribution import impression_stream
from recommendations.attribution.metrics import IMPRESSION_STREAM
from recommendations.catalog.models import EndUser
from recommendations.metrics import LIST_AGE, NEARLINE_LAG, NEARLINE_WAITING
from recommendations.placements.models import Placement


def measure(*, now: datetime) -> Iterator[Value]:
    """Yields the values. Users of a tenant without lists do not wait for near line, but for the first build."""
    serving = Placement.objects.filter(tenant=OuterRef("tenant"), active_build__isnull=False)
    latest = now - timedelta(seconds=settings.NEARLINE_DEBOUNCE_SECONDS)
    with scope.all_tenants("measures: lists"):
        active = Placement.objects.filter(active_build__isnull=False, tenant__active=True)
        oldest = active.aggregate(cutoff=Min("active_build__cutoff"))["cutoff"]
        users = EndUser.objects.filter(Exists(serving), dirty_at__lte=latest).order_by()
        waiting = users.aggregate(users=Count("pk"), since=Min("dirty_at"))
    yield LIST_AGE, (), (now - oldest).total_seconds() if oldest else 0.0
    yield NEARLINE_WAITING, (), waiting["users"]
    yield NEARLINE_LAG, (), (now - waiting["since"]).total_seconds() if waiting["since"] else 0.0
    yield IMPRESSION_STREAM, (), impression_stream.waiting()
