"""How long tenants' data is kept."""

from django.contrib import admin

from accounts.admin.base import TenantAdmin
from accounts.models import Retention


@admin.register(Retention)
class RetentionAdmin(TenantAdmin):
    """Times of a tenant's own. What is past them goes within the hour, and does not come back."""

    list_display = ["tenant", "event_days", "ai_days", "import_days", "import_file_days", "answer_hours"]
    search_fields = ["tenant__slug"]
