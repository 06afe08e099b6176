"""AI at a glance in the admin: spend by prompt version, budgets, fallbacks by hour, and what a build would cost.

The scope of the request limits the tenants: staff of one tenant see that one, and nothing of the deployment's budget.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.module_loading import import_string

from accounts.admin.base import is_confined
from accounts.models import Tenant
from core import clock
from recommendations.ai.budget import reports
from recommendations.ai.budget.reports import NothingToEstimate
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.money import NANO_PER_USD
from recommendations.ai.uplift import fallback_stats
from recommendations.models import AIFallbackStat

DAYS, HOURS = 30, 24
MOST_TENANTS = 50
PERMISSION = "recommendations.view_aicall"
GLOBAL = "global_month"
# By name: an estimate needs numpy, which a web process must not load before the first estimate is requested.
PREVIEW = "recommendations.pipeline.builds.ai_cost_estimate.preview"


@dataclass(frozen=True, slots=True)
class TenantOverview:
    """One tenant's figures, formatted."""

    slug: str
    spend: list[dict[str, Any]]
    caps: list[dict[str, str]]
    fallbacks: str
    build: str


def overview(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the first tenants, or the one whose slug is asked for, which then has a preview of its next build."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    config, now = AIConfiguration.from_settings(settings), clock.now()
    wanted, confined = request.GET.get("tenant", ""), is_confined(request)
    tenants = Tenant.objects.select_related("plan").order_by("slug")
    if confined:
        tenants = tenants.filter(pk=str(getattr(request.user, "tenant_id", "")))
    elif wanted:
        tenants = tenants.filter(slug=wanted)
    else:
        tenants = tenants.filter(synthetic=False)
    shown = list(tenants[:MOST_TENANTS])
    context = {
        **site.each_context(request),
        "title": "AI overview",
        "model": config.model if config.in_use else "",
        "standings": [
            _standing(each, config, now, confined=confined, previewed=confined or bool(wanted)) for each in shown
        ],
        "hours": _hours(now, shown),
        "days": DAYS,
    }
    return TemplateResponse(request, "admin/recommendations/ai_overview.html", context)


def _standing(
    tenant: Tenant, config: AIConfiguration, now: datetime, *, confined: bool, previewed: bool
) -> TenantOverview:
    spend = [{"row": row, "cost": _usd(row.nano_usd)} for row in reports.spend(now=now, days=DAYS, tenant_id=tenant.pk)]
    caps = [
        {
            "name": cap.cap,
            "from": str(cap.starts_on),
            "spent": f"{_usd(cap.spent.nano_usd)}, {cap.spent.tokens} tokens",
            "limit": "none" if cap.limit.nano_usd is None else _usd(cap.limit.nano_usd),
            "tokens": "none" if cap.limit.tokens is None else f"{cap.limit.tokens}",
        }
        for cap in reports.cap_usage(tenant_id=tenant.pk, limits=config.budget, now=now)
        if not (confined and cap.cap == GLOBAL)
    ]
    counts = fallback_stats.load_counts(now=now, window=timedelta(hours=HOURS), tenant_id=tenant.pk)
    ratio = "too few for a rate" if counts.ratio is None else f"{counts.ratio:.1%} without it"
    fallbacks = f"{counts.meant} lists eligible for AI, {ratio}"
    return TenantOverview(tenant.slug, spend, caps, fallbacks, _build(tenant, config, now) if previewed else "")


def _build(tenant: Tenant, config: AIConfiguration, now: datetime) -> str:
    if not config.in_use:
        return "AI is off: OPENAI_API_KEY is not set."
    try:
        estimate = import_string(PREVIEW)(tenant=tenant, config=config, now=now)
    except NothingToEstimate as error:
        return str(error)
    return (
        f"{estimate.calls} of {estimate.wanted} lists, {estimate.answered} of them cached,"
        f" about {_usd(estimate.total)}, at most {_usd(estimate.total_most)}"
    )


def _hours(now: datetime, tenants: list[Tenant]) -> list[dict[str, Any]]:
    """Lists by tenant, hour, kind and reason, the latest hour first."""
    rows = AIFallbackStat.objects.filter(tenant__in=tenants, slot__gt=now - timedelta(hours=HOURS))
    grouped = rows.annotate(hour=TruncHour("slot")).values("tenant__slug", "hour", "kind", "reason")
    summed = grouped.annotate(lists=Sum("lists")).order_by("-hour", "tenant__slug", "kind", "reason")
    return [dict(row) for row in summed]


def _usd(nano_usd: int) -> str:
    return f"${nano_usd / NANO_PER_USD:,.4f}"
