"""`manage.py ai_report`: what AI did, what it cost, and whether the books agree."""

from argparse import ArgumentParser
from datetime import UTC, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from recommendations.ai.budget import ledger, reports
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.gateway.instrumentation import instrumented_breaker
from recommendations.ai.models import AIGate
from recommendations.ai.money import NANO_PER_USD, BudgetLimit
from recommendations.ai.uplift import fallback_stats, gate
from recommendations.history_segments import SEGMENTS
from recommendations.placements.models import Placement


class Command(BaseCommand):
    """Prints spend, budgets, fallbacks, the breaker, and every period whose budget and ledger disagree."""

    help = "Reports AI usage and cost by tenant, and checks that budgets and ledger agree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the tenant and the period."""
        parser.add_argument("--tenant", metavar="SLUG", help="one tenant only")
        parser.add_argument("--days", type=int, default=30)

    def handle(self, *, tenant: str | None, days: int, **_: Any) -> None:
        """Reads and prints; ends with an error where the books do not agree."""
        now = clock.now()
        config = AIConfiguration.from_settings(settings)
        with scope.all_tenants("manage.py ai_report"):
            tenants = dict(
                Tenant.objects.filter(**({"slug": tenant} if tenant else {"synthetic": False})).values_list(
                    "pk", "slug"
                )
            )
        if not tenants:
            raise CommandError(f"There is no tenant {tenant!r}." if tenant else "There is no tenant.")
        self._breaker(config)
        for tenant_id, slug in tenants.items():
            self.stdout.write(f"\n{slug}")
            for row in reports.spend(now=now, days=days, tenant_id=tenant_id):
                label = f"{row.purpose} {row.model} {row.prompt_version}{' (simulated)' if row.simulated else ''}"
                self.stdout.write(
                    f"  {label}: {row.calls} calls, {row.answered} answered, {row.tokens} tokens,"
                    f" {_usd(row.nano_usd)}, {row.latency_ms} ms on average"
                )
            for cap in reports.cap_usage(tenant_id=tenant_id, limits=config.budget, now=now):
                spent = f"{_usd(cap.spent.nano_usd)} and {cap.spent.tokens} tokens"
                self.stdout.write(f"  {cap.cap} from {cap.starts_on}: {spent} of {_limit(cap.limit)}")
            self._fallbacks(fallback_stats.load_counts(now=now, window=timedelta(hours=24), tenant_id=tenant_id))
            self._gate(config, tenant_id)
        since = (now.astimezone(UTC).date() - timedelta(days=config.ledger_days - 31)).replace(day=1)
        if differences := ledger.reconcile(since=since):
            raise CommandError("\n".join(f"budget and ledger disagree: {each}" for each in differences))
        self.stdout.write("\nBudgets and ledger agree.")

    def _breaker(self, config: AIConfiguration) -> None:
        if not config.in_use:
            self.stdout.write("AI is off: OPENAI_API_KEY is not set.")
            return
        reading = instrumented_breaker(config).state()
        last = f"; last error: {reading.error}" if reading.error else ""
        self.stdout.write(f"{config.model} at {config.origin}: breaker {reading.mode}{last}")

    def _gate(self, config: AIConfiguration, tenant_id: int) -> None:
        """For whom AI runs, at each placement."""
        with scope.tenant(tenant_id):
            placements = list(Placement.objects.filter(tenant_id=tenant_id, ai=True))
            measured = list(AIGate.objects.filter(tenant_id=tenant_id))
        for placement in placements:
            standing = gate.load_gate(tenant_id=tenant_id, placement=placement.name, policy=config.gate)
            opened = [each for each in SEGMENTS if standing.is_open(each)]
            own = placement.ai_control_percent
            self.stdout.write(
                f"  {placement.name}: AI for {', '.join(opened) or 'no segment'}, for"
                f" {config.gate.explore_percent} % of the others, holdout"
                f" {config.control_percent if own is None else own} %"
            )
        for row in measured:
            per_usd = "" if row.per_usd is None else f", {row.per_usd:.1f} per dollar"
            interval = f"{row.uplift:+.2%} ({row.uplift_low:+.2%} to {row.uplift_high:+.2%})"
            self.stdout.write(
                f"  {row.placement} {row.segment}: {interval}{per_usd}"
                f" of {row.with_ai} with AI and {row.control} without: {row.get_why_display()}"
            )

    def _fallbacks(self, found: fallback_stats.FallbackCounts) -> None:
        ratio = "too few for a rate" if found.ratio is None else f"{found.ratio:.1%} without"
        reasons = ", ".join(f"{reason} {lists}" for reason, lists in {**found.fallbacks, **found.skipped}.items())
        self.stdout.write(f"  24 hours: {found.meant} lists eligible for AI, {ratio}{': ' if reasons else ''}{reasons}")


def _usd(nano_usd: int) -> str:
    return f"${nano_usd / NANO_PER_USD:.4f}"


def _limit(limit: BudgetLimit) -> str:
    parts = [] if limit.nano_usd is None else [_usd(limit.nano_usd)]
    if limit.tokens is not None:
        parts.append(f"{limit.tokens} tokens")
    return " and ".join(parts) or "no limit"
