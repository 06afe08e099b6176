"""The log of erasures."""

from django.contrib import admin

from accounts.admin.base import ReadOnlyTenantAdmin
from recommendations.models import Erasure


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyTenantAdmin):
    """Erased users, by digests; search by the number on the receipt."""

    list_display = ["receipt", "tenant", "erased_at", "copied_at", "repeated_at", "rows"]
    search_fields = ["receipt__exact"]
    date_hierarchy = "erased_at"
