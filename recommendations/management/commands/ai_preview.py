"""`manage.py ai_preview`: what a build's AI would cost, before it runs."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from recommendations.ai.budget import reports
from recommendations.ai.budget.reports import NothingToEstimate
from recommendations.ai.config.settings import AIConfiguration
from recommendations.ai.money import NANO_PER_USD
from recommendations.pipeline.builds.ai_cost_estimate import preview


class Command(BaseCommand):
    """Counts and prints; nothing is called."""

    help = "Estimates the average and maximum cost of the AI calls of a tenant's next build."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the tenant."""
        parser.add_argument("--tenant", required=True, metavar="SLUG")

    def handle(self, *, tenant: str, **_: Any) -> None:
        """Estimates and prints.

        Raises: CommandError where there is no such tenant, no list yet, or no price.
        """
        now = clock.now()
        config = AIConfiguration.from_settings(settings)
        with scope.all_tenants("manage.py ai_preview"):
            found = Tenant.objects.select_related("plan").filter(slug=tenant).first()
        if found is None:
            raise CommandError(f"There is no tenant {tenant!r}. Its slug is shown in the admin.")
        try:
            seen = preview(tenant=found, config=config, now=now)
        except NothingToEstimate as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{seen.wanted} lists are eligible for AI; a build makes up to {seen.calls} calls with {config.model},"
            f" {seen.answered} of them cached."
        )
        self.stdout.write(
            f"A call: about {seen.usage.input_tokens} tokens in, {seen.usage.output_tokens} out (by {seen.source}),"
            f" ${seen.per_call / NANO_PER_USD:.6f}; at most ${seen.per_call_most / NANO_PER_USD:.6f}."
        )
        self.stdout.write(
            f"The build: about ${seen.total / NANO_PER_USD:.4f}, at most ${seen.total_most / NANO_PER_USD:.4f}."
        )
        for cap in reports.cap_usage(tenant_id=found.pk, limits=config.budget, now=now):
            if cap.limit.nano_usd is not None:
                left = (cap.limit.nano_usd - cap.spent.nano_usd - cap.reserved.nano_usd) / NANO_PER_USD
                self.stdout.write(f"Left of {cap.cap}: ${left:.4f}")
