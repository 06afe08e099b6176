"""Items, people, what they did, and how it came in."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin.base import ReadOnlyTenantAdmin, TenantAdmin
from recommendations.models import EndUser, EventType, Import, ImportRowError, Interaction, Item, Placement


@admin.register(Item)
class ItemAdmin(ReadOnlyTenantAdmin):
    """The catalogue belongs to the tenant, who changes it over the API."""

    list_display = ["item_id", "tenant", "title", "categories", "hidden", "available_until", "deleted_at", "updated_at"]
    list_filter = ["hidden"]
    search_fields = ["item_id__startswith", "title"]


@admin.register(EndUser)
class EndUserAdmin(ReadOnlyTenantAdmin):
    """The people of a tenant."""

    list_display = ["user_id", "tenant", "segments", "locale", "last_event_at", "dirty_at", "updated_at"]
    search_fields = ["user_id__startswith"]


@admin.register(EventType)
class EventTypeAdmin(ReadOnlyTenantAdmin):
    """The words that tenants use for events."""

    list_display = ["name", "tenant"]
    search_fields = ["name"]


@admin.register(Interaction)
class InteractionAdmin(ReadOnlyTenantAdmin):
    """Events, newest row first. There may be a hundred million: look by person."""

    list_display = ["id", "tenant", "end_user", "type", "item", "value", "occurred_at", "received_at"]
    list_select_related = ["tenant", "end_user", "type", "item"]
    search_fields = ["end_user__user_id__exact"]
    ordering = ["-id"]

    def get_list_select_related(self, request: HttpRequest) -> Any:
        """All that a row names: one query."""
        return self.list_select_related


class ImportRowErrorInline(admin.TabularInline):
    """The refused rows of an import."""

    model = ImportRowError
    fields = ["line", "field", "code", "detail"]
    readonly_fields = ["line", "field", "code", "detail"]
    extra = 0
    max_num = 0
    can_delete = False


@admin.register(Import)
class ImportAdmin(ReadOnlyTenantAdmin):
    """Files taken in."""

    list_display = ["id", "tenant", "kind", "filename", "status", "created", "updated", "duplicate", "rejected"]
    list_filter = ["status", "kind"]
    search_fields = ["filename"]
    inlines = [ImportRowErrorInline]


@admin.register(Placement)
class PlacementAdmin(TenantAdmin):
    """Where lists are shown."""

    list_display = ["name", "tenant", "ai", "active_build"]
    list_filter = ["ai"]
    search_fields = ["name", "tenant__slug"]
    readonly_fields = ["active_build"]
