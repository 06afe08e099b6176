"""`manage.py preview_placement`: what a version of a placement's rules would show one person."""

import dataclasses
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from core.errors import ServiceError
from recommendations.cache.list_codec import HEAD
from recommendations.serving.preview.preview import Preview, PreviewItem, preview

WIDE = 44


class Command(BaseCommand):
    """Makes one list and prints it beside the one that is served. Nothing is written, and AI is not asked."""

    help = "Shows the list of one user with a version of a placement's rules, beside the served list."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Every command has a `--version` that prints Django's; here it names the placement's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the tenant, the placement's version and the user."""
        parser.add_argument("tenant", metavar="TENANT", help="its slug")
        parser.add_argument("placement", metavar="PLACEMENT")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--version", dest="number", type=int, metavar="N")
        which.add_argument("--draft", action="store_true", help="the newest unpublished version")
        parser.add_argument("--user", required=True, metavar="ID", help="the end user")
        parser.add_argument("--limit", type=int, default=HEAD, metavar="N", help="positions, at most 100")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON")

    def handle(self, *, tenant: str, placement: str, **options: Any) -> None:
        """Makes it and prints it.

        Raises: CommandError where there is no such thing, no build yet, or the rules are not valid (any more).
        """
        with scope.all_tenants("manage.py preview_placement"):
            tenant_id = Tenant.objects.filter(slug=tenant).values_list("pk", flat=True).first()
        if tenant_id is None:
            raise CommandError(f"There is no tenant {tenant!r}. Its slug is shown in the admin.")
        if not 1 <= options["limit"] <= 100:
            raise CommandError("--limit is a number from 1 to 100.")
        try:
            seen = preview(
                tenant_id=tenant_id,
                placement=placement,
                number=options["number"],
                user_id=options["user"],
                now=clock.now(),
                limit=options["limit"],
            )
        except ServiceError as error:
            raise CommandError(error.detail) from error
        if options["as_json"]:
            self.stdout.write(json.dumps({"tenant": tenant, **dataclasses.asdict(seen)}, ensure_ascii=False, indent=2))
        else:
            self._table(seen)

    def _table(self, seen: Preview) -> None:
        would, served = seen.would, seen.served
        self.stdout.write(f"{seen.placement} v{seen.version} ({seen.state}) for {seen.user_id}")
        made = f"artefact #{served.artefact}" if served.artefact else "no artefact"
        arm = f", arm {served.arm}" if served.arm else ""
        self.stdout.write(f"Served now: {served.source}{arm}, {made}, degraded: {served.degraded or 'no'}.")
        self.stdout.write(f"With v{seen.version}: {would.source}, artefact #{would.artefact}.")
        for note in seen.notes:
            self.stdout.write(note)
        self.stdout.write(f"\n{'':4}{'served now':{WIDE}}{f'with v{seen.version}':{WIDE}}was  effects of rules")
        for place in range(max(len(would.items), len(served.items))):
            left, right = (side.items[place] if place < len(side.items) else None for side in (served, would))
            did = "; ".join(f"{deed.rule}: {deed.detail}" for deed in right.rules) if right else ""
            was = str(right.was or "-") if right else ""
            self.stdout.write(f"{place + 1:<4}{_cell(left):{WIDE}}{_cell(right):{WIDE}}{was:5}{did}".rstrip())
        if seen.left_out:
            self.stdout.write("\nLeft out:")
        for each in seen.left_out:
            rank = f"rank {each.proposed} before the rules" if each.proposed else f"served at {each.was}"
            self.stdout.write(f"    {each.item_id} {each.title} ({rank}): {each.rule}, {each.detail}")


def _cell(item: PreviewItem | None) -> str:
    text = f"{item.item_id} {item.title}" if item else ""
    return text if len(text) < WIDE else text[: WIDE - 4] + "..."
