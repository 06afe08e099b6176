"""`manage.py event_types`: what a tenant's types of events say, and changes of it."""

import math
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts import audit
from accounts.audit import Target
from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from recommendations.interactions import event_weights
from recommendations.interactions.models import EventType

DEFAULT = "default"
FIELDS = ("weight", "negative_below", "half_life_days", "value_as_strength")


class Command(BaseCommand):
    """Shows all types, or changes one; a change holds from the next training on."""

    help = "Shows the weights of a tenant's event types, or changes one type."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The tenant, the type, and what is to change."""
        parser.add_argument("name", nargs="?", metavar="TYPE", help="such as rating (default: show all)")
        parser.add_argument("--tenant", required=True, metavar="SLUG")
        for option, text in (
            ("--weight", "Weight of one event: 1 like a view, 0 to ignore it, negative to count against the item"),
            ("--negative-below", "Events with a lower value count against the item"),
            ("--half-life-days", "Days after which an event counts half"),
        ):
            parser.add_argument(option, type=_number, metavar="NUMBER", help=f"{text}; or {DEFAULT}.")
        parser.add_argument(
            "--value-as-strength",
            choices=EventType.ValueAsStrength.values,
            help="How values scale the weight of events; auto is the default.",
        )
        parser.add_argument("--reason", default="", help="why; kept in the audit log")

    def handle(self, *, tenant: str, name: str | None, **options: Any) -> None:
        """Changes, then shows.

        Raises: CommandError where there is no such tenant or type, or a value is none that it can have.
        """
        with scope.all_tenants("manage.py event_types"):
            tenant_id = Tenant.objects.filter(slug=tenant).values_list("pk", flat=True).first()
        if tenant_id is None:
            raise CommandError(f"There is no tenant {tenant!r}. Its slug is shown in the admin.")
        given = {field: options[field] for field in FIELDS if options[field] is not None}
        changed = {field: None if value == DEFAULT else value for field, value in given.items()}
        if changed and name is None:
            raise CommandError("Name the type to change, such as rating.")
        if name is not None and changed:
            self._change(tenant_id, name, changed, options["reason"])
        for each in event_weights.load_event_weights(tenant_id=tenant_id).types:
            if name in (None, each.name):
                self.stdout.write(_said(each))

    def _change(self, tenant_id: int, name: str, changed: dict[str, Any], reason: str) -> None:
        try:
            row, differs = event_weights.change_event_type(tenant_id=tenant_id, name=name, changed=changed)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if differs:
            audit.record(
                actor=audit.command_actor("event_types"),
                action="change",
                now=clock.now(),
                target=Target("recommendations.eventtype", str(row.pk), name, tenant_id),
                reason=reason,
                note=", ".join(f"{field} {value}" for field, value in changed.items()),
            )
        self.stdout.write("Changed; effective with the next training." if differs else "No change.")


def _said(each: event_weights.EventTypeWeight) -> str:
    parts = [f"weight {each.weight:g}" + ("" if each.has_weight else " (not set)")]
    if each.negative_below is not None:
        parts.append(f"below {each.negative_below:g} against the item")
    if each.half_life_days is not None:
        parts.append(f"half-life {each.half_life_days:g} days")
    return f"{each.name}: {', '.join(parts)}; values as strength: {each.value_as_strength}"


def _number(text: str) -> float | str:
    if text == DEFAULT:
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentTypeError(f"must be a number, or {DEFAULT}")
    return number
