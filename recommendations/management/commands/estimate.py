"""`manage.py estimate`: clicks that a version of a placement's rules would bring, before it is published."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from core.errors import ServiceError
from recommendations.estimation import text_report
from recommendations.estimation.estimate import DAYS, PAGES, SECONDS, Estimation, estimate


class Command(BaseCommand):
    """Prints both estimates with intervals, or that there is not enough overlap and why. Nothing is written."""

    help = "Estimates the clicks of a version of a placement's rules from pages shown before."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Every command has a `--version` that prints Django's; here it names the placement's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the placement, the version, and bounds of the work."""
        parser.add_argument("--tenant", metavar="SLUG", help="required if there are several")
        parser.add_argument("--placement", default="home", metavar="NAME")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--version", dest="number", type=int, metavar="N")
        which.add_argument("--draft", action="store_true", help="the newest unpublished version")
        parser.add_argument("--days", type=int, default=DAYS, metavar="N", help=f"maximum age of pages ({DAYS})")
        parser.add_argument("--pages", type=int, default=PAGES, metavar="N", help=f"maximum number of pages ({PAGES})")
        parser.add_argument("--seconds", type=float, default=SECONDS, metavar="N", help=f"time limit ({SECONDS:.0f})")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *, tenant: str | None, placement: str, **options: Any) -> None:
        """Estimates and prints.

        Raises: CommandError where there is no such thing, or a number is out of range.
        """
        for name, least, most in (("days", 1, 92), ("pages", 100, 200_000), ("seconds", 1, 86_400)):
            if not least <= options[name] <= most:
                raise CommandError(f"--{name} is a number from {least} to {most}.")
        slug, tenant_id = _tenant(tenant)
        try:
            found = estimate(
                tenant_id=tenant_id,
                placement=placement,
                number=options["number"],
                now=clock.now(),
                days=options["days"],
                pages=options["pages"],
                seconds=options["seconds"],
            )
        except ServiceError as error:
            raise CommandError(error.detail) from error
        if options["as_json"]:
            said = {"tenant": slug, **text_report.as_json(found)}
            self.stdout.write(json.dumps(said, ensure_ascii=False, indent=2))
        else:
            self._print(found)

    def _print(self, found: Estimation) -> None:
        self.stdout.write(f"{found.placement}, version {found.version} ({found.state})")
        if table := text_report.rows(found):
            self.stdout.write(f"\n{'clicks per page':32}{'':10}{'95 % interval':20}against what was shown")
        for row in table:
            self.stdout.write(f"{row.name:32}{row.value:10}{row.interval:20}{row.change}".rstrip())
        self.stdout.write("")
        for line in text_report.report_lines(found):
            self.stdout.write(line)


def _tenant(slug: str | None) -> tuple[str, int]:
    with scope.all_tenants("manage.py estimate"):
        rows = Tenant.objects.order_by("slug")
        found = list((rows.filter(slug=slug) if slug else rows).values_list("slug", "pk")[:21])
    if slug and not found:
        raise CommandError(f"There is no tenant {slug!r}. Its slug is shown in the admin.")
    if not found:
        raise CommandError("There is no tenant yet.")
    if len(found) > 1:
        raise CommandError(f"Several tenants: give --tenant with one of {', '.join(name for name, _ in found[:20])}.")
    return found[0]
