"""Retention periods of tenants' data."""

from django.contrib import admin

from accounts.admin.base import TenantAdmin
from accounts.models import Retention


@admin.register(Retention)
class RetentionAdmin(TenantAdmin):
    """A tenant's own periods. Data past them is deleted within the hour, for good."""

    list_display = ["tenant", "event_days", "ai_days", "import_days", "import_file_days", "answer_hours"]
    search_fields = ["tenant__slug"]
