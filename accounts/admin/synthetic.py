"""Outcomes of synthetic checks, to read."""

from django.contrib import admin

from accounts.admin.base import ReadOnlyTenantAdmin
from accounts.models import SyntheticOutcome


@admin.register(SyntheticOutcome)
class SyntheticOutcomeAdmin(ReadOnlyTenantAdmin):
    """Outcomes of each region, the latest first."""

    list_display = ["started_at", "region", "check_name", "ok", "seconds", "error"]
    list_filter = ["region", "check_name", "ok"]
    search_fields = ["error"]
    date_hierarchy = "started_at"
