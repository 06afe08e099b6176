"""Impressions, clicks and conversions of lists, and events that still wait to be attributed."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from accounts.admin.base import ReadOnlyTenantAdmin
from accounts.models import Tenant
from core import clock
from recommendations.attribution import insights
from recommendations.attribution.insights import DIMENSIONS, Insight
from recommendations.models import Feedback, Impression, ItemStat, PlacementStat

USUAL_DAYS, MOST_ROWS = 28, 500


class InsightsForm(forms.Form):
    """Filters of the report: tenant, days and dimension."""

    tenant = forms.ModelChoiceField(Tenant.objects.none())
    since = forms.DateField(label="From")
    until = forms.DateField(label="To")
    by = forms.MultipleChoiceField(
        choices=[(name, name) for name in DIMENSIONS], required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, data: Any, *, today: date) -> None:
        usual = {"since": today - timedelta(days=USUAL_DAYS - 1), "until": today, "by": list(DIMENSIONS)}
        super().__init__(data, initial=usual)
        tenant: Any = self.fields["tenant"]
        tenant.queryset = Tenant.objects.order_by("slug")  # of the request's scope: confined staff see one


@admin.register(PlacementStat)
class PlacementStatAdmin(ReadOnlyTenantAdmin):
    """Counts by day, and the page of insights, which sums them up as the API does."""

    change_list_template = "admin/recommendations/placement_stats.html"

    list_display = [
        "day",
        "tenant",
        "placement",
        "arm",
        "source",
        "impressions",
        "clicks",
        "conversions",
        "ctr",
        "conversion",
    ]
    list_filter = ["source"]
    search_fields = ["placement", "arm"]
    date_hierarchy = "day"

    def get_urls(self) -> list[URLPattern]:
        """With the page of insights."""
        view = self.admin_site.admin_view(self.insights)
        return [path("insights/", view, name="recommendations_insights"), *super().get_urls()]

    def insights(self, request: HttpRequest) -> HttpResponse:
        """Impressions, clicks, conversions and what follows from them, of one tenant."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = clock.now()
        today = now.date()
        asked = InsightsForm(request.GET if "tenant" in request.GET else None, today=today)
        rows = []
        if asked.is_valid():
            chosen = asked.cleaned_data
            rows = insights.placements(
                tenant_id=chosen["tenant"].pk, since=chosen["since"], until=chosen["until"], now=now, by=chosen["by"]
            )
        context = {
            **self.admin_site.each_context(request),
            "title": "Insights",
            "form": asked,
            "rows": [_insight(row) for row in rows[:MOST_ROWS]],
            "more": max(0, len(rows) - MOST_ROWS),
        }
        return TemplateResponse(request, "admin/recommendations/insights.html", context)

    @admin.display(description="CTR")
    def ctr(self, row: PlacementStat) -> str:
        """Clicks per impression."""
        return _share(row.clicks, row.impressions)

    @admin.display(description="Conversion")
    def conversion(self, row: PlacementStat) -> str:
        """Conversions per impression."""
        return _share(row.conversions, row.impressions)


@admin.register(ItemStat)
class ItemStatAdmin(ReadOnlyTenantAdmin):
    """Impressions of items by day."""

    list_display = ["day", "tenant", "placement", "arm", "source", "item", "shown"]
    search_fields = ["item__item_id__exact"]
    date_hierarchy = "day"


@admin.register(Impression)
class ImpressionAdmin(ReadOnlyTenantAdmin):
    """Impressions of users, kept while a click may still be attributed to them."""

    personal = True
    list_display = ["recommendation_id", "tenant", "end_user", "placement", "arm", "source", "first_at", "last_at"]
    search_fields = ["end_user__user_id__exact", "recommendation_id__exact"]
    ordering = ["-id"]


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyTenantAdmin):
    """Events that name a recommendation and have not been dealt with."""

    list_display = ["id", "tenant", "interaction_id", "noted_at", "due_at", "attempts"]
    ordering = ["-id"]


def _insight(row: Insight) -> dict[str, str]:
    named = {name: "" if getattr(row, name) is None else str(getattr(row, name)) for name in DIMENSIONS}
    counts = {name: f"{getattr(row, name):,}" for name in ("impressions", "clicks", "conversions")}
    return {
        **named,
        **counts,
        "ctr": _share(row.clicks, row.impressions),
        "conversion": _share(row.conversions, row.impressions),
        "coverage": "-" if row.coverage is None else f"{100 * row.coverage:.1f} %",
        "novelty": "-" if row.novelty is None else f"{row.novelty:.2f} bits",
    }


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"
