"""Plans, tenants and their feature flags."""

from typing import Any

from django.contrib import admin
from django.db.models import IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from accounts.admin.actions import staff_action
from accounts.admin.base import (
    DeploymentAdmin,
    DeploymentControlledAdmin,
    ReadOnlyTenantAdmin,
    TenantAdmin,
    is_confined,
)
from accounts.admin.form_fields import LinesField
from accounts.models import FeatureFlag, Plan, QuotaWarning, Tenant, TenantUsage
from accounts.tokens import revocations
from core import clock
from core.ratelimit import billing_periods


@admin.register(Plan)
class PlanAdmin(DeploymentAdmin):
    """Limits are granted by staff; tenants cannot raise their own."""

    list_display = [
        "name",
        "read_per_minute",
        "write_per_minute",
        "requests_per_month",
        "on_quota",
        "ai_calls_per_build",
    ]
    search_fields = ["name"]
    fieldsets = [
        (None, {"fields": ["name"]}),
        (
            "Requests a minute",
            {
                "fields": [
                    ("read_per_minute", "read_burst"),
                    ("write_per_minute", "write_burst"),
                    ("browser_read_per_minute", "browser_write_per_minute", "backend_percent"),
                ],
                "description": "A refused request is answered 429 and says when to come back. Effective in 5 seconds.",
            },
        ),
        ("Requests a month", {"fields": ["requests_per_month", "on_quota"]}),
        ("AI", {"fields": ["ai_calls_per_build"]}),
    ]


@admin.register(Tenant)
class TenantPageAdmin(TenantAdmin):
    """Customers."""

    tenant_field = ""
    list_display = ["slug", "name", "plan", "active", "used", "left", "create_unknown", "locale", "created_at"]
    list_filter = ["active", "plan", "synthetic"]
    list_select_related = ["plan"]
    search_fields = ["slug", "name"]
    readonly_fields = ["used", "left", "synthetic", "created_at"]
    actions = ["suspend", "reactivate"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Edits origins and attribute names one per line."""
        if db_field.name in {"allowed_origins", "browser_item_attributes", "browser_user_attributes"}:
            return LinesField(help_text=db_field.help_text, required=False)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        """Adds the current month's requests, in one query."""
        month = billing_periods.month_at(clock.now()).name
        own = TenantUsage.objects.filter(tenant=OuterRef("pk"), month=month).values("used")
        used = Coalesce(Subquery(own), 0, output_field=IntegerField())
        tenants: QuerySet[Tenant] = super().get_queryset(request)
        return tenants.annotate(used_this_month=used)

    @admin.display(description="Used this month", ordering="used_this_month")
    def used(self, tenant: Tenant) -> int:
        """Shows the requests of the current month, up to a minute old."""
        used: int = getattr(tenant, "used_this_month", 0)
        return used

    @admin.display(description="Left")
    def left(self, tenant: Tenant) -> int | str:
        """Requests that the plan still allows."""
        return _left(tenant.plan.requests_per_month, self.used(tenant)) if tenant.plan_id else "-"

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        """Makes the slug (part of tokens) and `active` (set by actions) read-only, and the plan for confined staff."""
        own = ["used", "left", "synthetic", "created_at", *(["slug", "active"] if obj else [])]
        return [*own, "plan", "active"] if is_confined(request) else own

    def has_serve_permission(self, request: HttpRequest) -> bool:
        """Allows suspending and reactivating; never for the tenant's own staff."""
        return not is_confined(request) and request.user.has_perm("accounts.change_tenant")

    @staff_action(
        description="Suspend (its tokens are rejected within 5 s)",
        permissions=["serve"],
        consequence="All requests of these tenants are refused within 5 seconds: their shops show no recommendations. "
        "Nothing is deleted.",
    )
    def suspend(self, request: HttpRequest, tenant: Tenant) -> str:
        """Suspends the tenant until it is reactivated."""
        _serve(tenant, active=False)
        return f"{tenant} is suspended."

    @staff_action(
        description="Reactivate",
        permissions=["serve"],
        consequence="These tenants are served again. Tokens that were issued before and have not ended work again.",
    )
    def reactivate(self, request: HttpRequest, tenant: Tenant) -> str:
        """Ends a suspension."""
        _serve(tenant, active=True)
        return f"{tenant} is active."

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Denies confined staff, who could only create another tenant."""
        return super().has_add_permission(request) and not is_confined(request)

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        """Denies deletion, which would delete all of the tenant's data; suspend it instead."""
        return False


@admin.register(FeatureFlag)
class FeatureFlagAdmin(DeploymentControlledAdmin):
    """Shares of a tenant's users for which features are on; effective within 5 seconds."""

    list_display = ["tenant", "name", "percent"]
    list_editable = ["percent"]
    list_display_links = ["name"]
    list_filter = ["name"]
    search_fields = ["tenant__slug"]


@admin.register(TenantUsage)
class TenantUsageAdmin(ReadOnlyTenantAdmin):
    """Monthly requests: used, and left of the tenant's current plan."""

    list_display = ["tenant", "month", "used", "left"]
    list_display_links = ["month"]
    list_filter = ["month"]
    search_fields = ["tenant__slug"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[TenantUsage]:
        """Customers' usage; that of synthetic checks is on the tenant's own page."""
        usage: QuerySet[TenantUsage] = super().get_queryset(request)
        return usage.exclude(tenant__synthetic=True)

    def get_list_select_related(self, request: HttpRequest) -> list[str]:
        """Joins the plan: one query for all rows."""
        return ["tenant__plan"]

    @admin.display(description="left")
    def left(self, usage: TenantUsage) -> int | str:
        """Requests that the plan still allows."""
        return _left(usage.tenant.plan.requests_per_month, usage.used)


@admin.register(QuotaWarning)
class QuotaWarningAdmin(ReadOnlyTenantAdmin):
    """Quota warnings issued to tenants."""

    list_display = ["tenant", "month", "percent", "used", "quota", "at"]
    list_display_links = ["month"]
    list_filter = ["percent", "month"]
    search_fields = ["tenant__slug"]


def _serve(tenant: Tenant, *, active: bool) -> None:
    tenant.active = active
    tenant.save(update_fields=["active"])
    revocations.tenant_changed(tenant)


def _left(quota: int | None, used: int) -> int | str:
    return "unlimited" if quota is None else max(0, quota - used)
