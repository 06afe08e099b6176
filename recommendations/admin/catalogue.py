"""Items, people, what they did, and how it came in."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin.base import ReadOnlyTenantAdmin, TenantAdmin
from recommendations.imports import summary
from recommendations.interactions import event_weights
from recommendations.models import EndUser, EventType, Import, ImportRowError, Interaction, Item


class FoundById:
    """Finds a row by how its id begins, blanks and quotation marks included: Django looks for each word by itself."""

    id_field = ""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Django's own, and rows whose id begins with the whole text."""
        found, repeats = super().get_search_results(request, queryset, search_term)  # type: ignore[misc]
        if not search_term:
            return found, repeats
        return found | queryset.filter(**{f"{self.id_field}__startswith": search_term}), repeats


@admin.register(Item)
class ItemAdmin(FoundById, ReadOnlyTenantAdmin):
    """The catalogue belongs to the tenant, who changes it over the API."""

    id_field = "item_id"

    list_display = ["item_id", "tenant", "title", "categories", "hidden", "available_until", "deleted_at", "updated_at"]
    list_filter = ["hidden"]
    search_fields = ["item_id__startswith", "title"]


@admin.register(EndUser)
class EndUserAdmin(FoundById, ReadOnlyTenantAdmin):
    """The people of a tenant."""

    personal = True
    id_field = "user_id"

    list_display = ["user_id", "tenant", "segments", "locale", "last_event_at", "dirty_at", "updated_at"]
    search_fields = ["user_id__startswith"]


@admin.register(EventType)
class EventTypeAdmin(TenantAdmin):
    """The words that tenants use for events, and what one of each says. Changes hold from the next training on."""

    list_display = ["name", "tenant", "says", "weight", "negative_below", "half_life_days", "value_as_strength"]
    search_fields = ["name"]
    readonly_fields = ["name"]

    @admin.display(description="Weight in use")
    def says(self, row: EventType) -> str:
        """The weight that holds, and where it is from."""
        if row.weight is not None:
            return f"{row.weight:g}"
        default = event_weights.DEFAULTS.get(row.name)
        return f"{event_weights.DEFAULT_WEIGHT:g} (unmapped)" if default is None else f"{default:g} (default)"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Types come with events."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Events refer to them."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With a warning about types that arrive and that nobody has explained."""
        rows = self.get_queryset(request).filter(weight__isnull=True).exclude(name__in=event_weights.DEFAULTS)
        by_tenant: dict[tuple[int, str], list[str]] = {}
        for row in rows.select_related("tenant").order_by("tenant_id", "name")[:200]:
            by_tenant.setdefault((row.tenant_id, str(row.tenant)), []).append(row.name)
        for (tenant_id, tenant), names in by_tenant.items():
            counts = event_weights.count_events_without_weight(tenant_id=tenant_id, names=names)
            arrived = ", ".join(f"{name} ({count:,})" for name, count in counts.items() if count)
            if arrived:
                text = f"{tenant}: event types without a weight count as views: {arrived}. Set their weights."
                self.message_user(request, text, messages.WARNING)
        return super().changelist_view(request, extra_context)


@admin.register(Interaction)
class InteractionAdmin(ReadOnlyTenantAdmin):
    """Events, newest row first. There may be a hundred million: look by person."""

    personal = True
    list_display = ["id", "tenant", "end_user", "type", "item", "value", "occurred_at", "received_at"]
    search_fields = ["end_user__user_id__exact"]
    ordering = ["-id"]


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

    @admin.display(description="Summary")
    def held(self, job: Import) -> str:
        """Its summary in sentences."""
        return ". ".join(summary.summary_lines(job.summary, dry_run=job.dry_run)) or "-"

    list_display = [
        "id",
        "tenant",
        "kind",
        "filename",
        "status",
        "dry_run",
        "created",
        "updated",
        "duplicate",
        "rejected",
        "created_at",
        "finished_at",
    ]
    list_filter = ["status", "kind", "dry_run"]
    search_fields = ["filename"]
    exclude = ["summary"]
    readonly_fields = ["held"]
    inlines = [ImportRowErrorInline]
