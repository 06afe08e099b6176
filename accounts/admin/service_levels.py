"""The built-in time series: its minutes, and the service levels that are computed from them."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from accounts.admin.base import BoundedPaginator, DeploymentAdmin
from core import clock
from core.series.models import MetricMinute
from core.slo import page, snapshot
from core.slo.objectives import load_objectives
from core.slo.percentiles import percentile
from core.slo.sources import MINUTE, BuiltInSource, Window

HOURS = (24, 1, 6, 48, 168)
"""Windows that may be asked for; the first is the default."""


@admin.register(MetricMinute)
class MetricMinuteAdmin(DeploymentAdmin):
    """Each series minute by minute. Read-only: processes write it."""

    list_display = ["minute", "family", "labels", "count", "total", "peak", "p95"]
    list_filter = ["series__family"]
    list_select_related = ["series"]
    ordering = ["-minute", "series"]
    show_full_result_count = False
    paginator = BoundedPaginator
    list_per_page = 50

    def get_urls(self) -> list[URLPattern]:
        """Adds the page of service levels."""
        view = self.admin_site.admin_view(self.service_levels)
        return [path("service-levels/", view, name="core_service_levels"), *super().get_urls()]

    def service_levels(self, request: HttpRequest) -> HttpResponse:
        """Shows objectives, percentiles and curves of the last hours."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = request.GET.get("hours", "")
        hours = next((each for each in HOURS if str(each) == asked), HOURS[0])
        now = clock.now()
        end = int(now.timestamp()) // MINUTE * MINUTE
        window = Window(end - hours * 3600, end)
        objectives = load_objectives(Path(settings.BASE_DIR) / "config/slo.toml")
        taken = snapshot.take(BuiltInSource(), objectives, window, now=now, simulated=False)
        links = {f"{each} h": f"?hours={each}" for each in sorted(HOURS)}
        nonce = str(request.csp_nonce)  # type: ignore[attr-defined]
        return HttpResponse(page.render(taken, nonce=nonce, links=links))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never; the page is then a read-only view."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: retention deletes old rows."""
        return False

    @admin.display(description="Family", ordering="series__family")
    def family(self, row: MetricMinute) -> str:
        """Shows the metric's short name."""
        return row.series.family

    @admin.display(description="Labels")
    def labels(self, row: MetricMinute) -> str:
        """Shows the values of the labels."""
        return ", ".join(row.series.labels)

    @admin.display(description="p95, milliseconds")
    def p95(self, row: MetricMinute) -> str:
        """Shows the 95th percentile of a histogram."""
        found = percentile(0.95, row.series.bounds, row.buckets)
        return "" if found is None else f"{found * 1000:.3g}"
