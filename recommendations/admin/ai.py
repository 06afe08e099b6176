"""AI in the admin: budgets, ledger, fallbacks, consent, batches, the uplift gate and the circuit breaker."""

from datetime import UTC, datetime
from math import isfinite
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from accounts.admin.auditing import NO_REASON, stated_reason
from accounts.admin.base import DeploymentControlledAdmin, ReadOnlyTenantAdmin, TenantAdmin
from recommendations.admin.ai_overview import overview
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.gateway.instrumentation import instrumented_breaker
from recommendations.ai.money import NANO_PER_USD
from recommendations.models import (
    AIBatch,
    AIBudget,
    AICall,
    AIFallbackStat,
    AIGate,
    AIGlobalBudget,
    AILimit,
    AIRelease,
    AISent,
)

_SWITCHED = {"open": "open", "reset": "closed"}
_STATES = {"closed": "closed: calls are made", "open": "open: no calls", "half_open": "half-open: one call may probe"}


class _Money:
    """Columns in dollars for rows that count nano-dollars."""

    @admin.display(description="Spent")
    def spent(self, row: Any) -> str:
        """Money spent."""
        return _usd(row.spent_nano_usd)

    @admin.display(description="Reserved")
    def reserved(self, row: Any) -> str:
        """Money reserved by calls in progress."""
        return _usd(row.reserved_nano_usd)


@admin.register(AILimit)
class AILimitAdmin(DeploymentControlledAdmin):
    """Spending limits of single tenants, effective from the next call. Granted by staff of the deployment only."""

    list_display = ["tenant", "day_usd", "month_usd", "day_tokens", "month_tokens"]


@admin.register(AIBudget)
class AIBudgetAdmin(_Money, ReadOnlyTenantAdmin):
    """Tenants' days and months."""

    list_display = ["tenant", "period", "starts_on", "spent", "reserved", "spent_tokens", "warned_at", "exhausted_at"]
    list_filter = ["period"]
    date_hierarchy = "starts_on"


@admin.register(AIGlobalBudget)
class AIGlobalBudgetAdmin(_Money, ReadOnlyTenantAdmin):
    """The deployment's months, and the breaker in front of the provider. Not for staff of one tenant."""

    tenant_field = ""
    change_list_template = "admin/recommendations/ai_budget.html"
    list_display = ["starts_on", "spent", "reserved", "spent_tokens", "warned_at", "exhausted_at"]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only staff of the deployment."""
        return super().has_view_permission(request, obj) and getattr(request.user, "tenant_id", None) is None

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Only staff of the deployment."""
        return super().has_module_permission(request) and getattr(request.user, "tenant_id", None) is None

    def get_urls(self) -> list[URLPattern]:
        """With the breaker's page."""
        view = self.admin_site.admin_view(self.breaker)
        return [path("breaker/", view, name="recommendations_ai_breaker"), *super().get_urls()]

    def breaker(self, request: HttpRequest) -> HttpResponse:
        """Shows the breaker's state; a POST opens or resets it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        config = AIConfiguration.from_settings(settings)
        may_change = request.user.has_perm("recommendations.change_aiglobalbudget")
        if request.method == "POST":
            if not may_change or not config.in_use:
                raise PermissionDenied
            self._switch(request, config)
            return HttpResponseRedirect(request.path)
        context = {**self.admin_site.each_context(request), "title": "AI breaker", "may_change": may_change}
        return TemplateResponse(request, "admin/recommendations/ai_breaker.html", context | _shown(config))

    def _switch(self, request: HttpRequest, config: AIConfiguration) -> None:
        wanted = request.POST.get("action")
        if wanted not in _SWITCHED:
            self.message_user(request, "Nothing changed: the action must be open or reset.", messages.ERROR)
            return
        if not stated_reason(request):
            self.message_user(request, NO_REASON, messages.ERROR)
            return
        breaker = instrumented_breaker(config)
        changes = {"state": {"from": breaker.state().mode, "to": _SWITCHED[wanted]}}
        # Redis has no rollback: the audit entry is written first, so that no switch goes unrecorded.
        self.record(request, f"breaker_{wanted}", changes=changes)
        if wanted == "open":
            breaker.open(note=f"opened by {request.user.get_username()}")
            self.message_user(request, "The breaker is open: no calls until it is reset.", messages.WARNING)
        else:
            breaker.reset()
            self.message_user(request, "The breaker is closed: calls are made again.")


@admin.register(AICall)
class AICallAdmin(ReadOnlyTenantAdmin):
    """The ledger: each request to the provider."""

    list_display = [
        "id",
        "tenant",
        "at",
        "purpose",
        "model",
        "prompt_version",
        "outcome",
        "input_tokens",
        "cached_tokens",
        "output_tokens",
        "cost",
        "latency_ms",
        "simulated",
        "detail",
    ]
    list_filter = ["outcome", "purpose", "model", "prompt_version", "simulated"]
    date_hierarchy = "day"
    change_list_template = "admin/recommendations/ai_calls.html"

    def get_urls(self) -> list[URLPattern]:
        """With the overview."""
        view = self.admin_site.admin_view(self.overview)
        return [path("overview/", view, name="recommendations_ai_overview"), *super().get_urls()]

    def overview(self, request: HttpRequest) -> HttpResponse:
        """Spend, budgets, fallbacks, prompt versions, and what a build would cost."""
        return overview(request, self.admin_site)

    @admin.display(description="Cost")
    def cost(self, call: AICall) -> str:
        """In dollars."""
        return _usd(call.cost_nano_usd)


@admin.register(AIFallbackStat)
class AIFallbackStatAdmin(ReadOnlyTenantAdmin):
    """Lists by AI outcome: meant for AI, fallback, skipped."""

    list_display = ["slot", "tenant", "kind", "reason", "lists"]
    list_filter = ["kind", "reason"]
    date_hierarchy = "slot"


@admin.register(AIRelease)
class AIReleaseAdmin(TenantAdmin):
    """Sharing consent of single tenants, effective from the next call."""

    list_display = ["tenant", "enabled", "item_attributes", "person_attributes"]


@admin.register(AISent)
class AISentAdmin(ReadOnlyTenantAdmin):
    """The redacted log of requests to the provider."""

    personal = True
    list_display = ["at", "tenant", "origin", "model", "purpose", "prompt_version", "size_bytes", "contents"]
    list_filter = ["purpose", "model"]
    date_hierarchy = "at"


@admin.register(AIBatch)
class AIBatchAdmin(ReadOnlyTenantAdmin):
    """Batches of questions and their progress."""

    list_display = [
        "id",
        "tenant",
        "build_id",
        "model",
        "state",
        "result",
        "questions",
        "answers",
        "created_at",
        "submitted_at",
        "ended_at",
        "error",
    ]
    list_filter = ["state", "result"]
    date_hierarchy = "created_at"


@admin.register(AIGate)
class AIGateAdmin(ReadOnlyTenantAdmin):
    """Uplift of AI by segment, and the decisions based on it."""

    list_display = ["tenant", "placement", "segment", "decision", "why", "with_ai", "control", "gain", "per_usd"]
    list_filter = ["placement", "segment", "why"]

    @admin.display(description="AI runs")
    def decision(self, row: AIGate) -> str:
        """The measurement's decision, if it is conclusive."""
        return "as configured" if row.open is None else "yes" if row.open else "no"

    @admin.display(description="Uplift (95 %)")
    def gain(self, row: AIGate) -> str:
        """The difference to the control arm with its interval."""
        return f"{row.uplift:+.2%} ({row.uplift_low:+.2%} to {row.uplift_high:+.2%})"


def _shown(config: AIConfiguration) -> dict[str, Any]:
    if not config.in_use:
        return {"reading": None}
    reading = instrumented_breaker(config).state()
    return {
        "reading": reading,
        "state": _STATES[reading.mode],
        "model": config.model,
        "origin": config.origin,
        "changed_at": _moment(reading.changed_at),
        "probe_at": _moment(reading.probe_at) if isfinite(reading.probe_at) else "when it is reset",
        "error_at": _moment(reading.error_at),
    }


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def _usd(nano_usd: int) -> str:
    return f"${nano_usd / NANO_PER_USD:,.4f}"
