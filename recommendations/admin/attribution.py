"""What came of lists, and whether events that name one wait."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.base import ReadOnlyTenantAdmin
from recommendations.models import Feedback, Impression, ItemStat, PlacementStat


@admin.register(PlacementStat)
class PlacementStatAdmin(ReadOnlyTenantAdmin):
    """Counts by day."""

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
    """How often items were shown."""

    list_display = ["day", "tenant", "placement", "arm", "source", "item", "shown"]
    list_select_related = ["tenant", "item"]
    search_fields = ["item__item_id__exact"]
    date_hierarchy = "day"

    def get_list_select_related(self, request: HttpRequest) -> Any:
        """All that a row names: one query."""
        return self.list_select_related


@admin.register(Impression)
class ImpressionAdmin(ReadOnlyTenantAdmin):
    """What was shown to whom, while a click may still belong to it."""

    list_display = ["recommendation_id", "tenant", "end_user", "placement", "arm", "source", "first_at", "last_at"]
    list_select_related = ["tenant", "end_user"]
    search_fields = ["end_user__user_id__exact", "recommendation_id__exact"]
    ordering = ["-id"]

    def get_list_select_related(self, request: HttpRequest) -> Any:
        """All that a row names: one query."""
        return self.list_select_related


@admin.register(Feedback)
class FeedbackAdmin(ReadOnlyTenantAdmin):
    """Events that name a recommendation and have not been dealt with."""

    list_display = ["id", "tenant", "interaction_id", "noted_at", "due_at", "attempts"]
    ordering = ["-id"]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"
