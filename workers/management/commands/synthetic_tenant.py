"""`manage.py synthetic_tenant`: the tenant that synthetic checks call as, with its data, lists and client."""

import random
from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from accounts.models import ApiClient, Plan, Retention, Tenant
from accounts.models.tenant import UNLIMITED
from accounts.tenancy import scope, tenant_cache
from accounts.tokens import clients
from core import clock
from recommendations.catalog.items import upsert_items
from recommendations.interactions.event_schema import Event, read_event
from recommendations.interactions.ingest import record_events
from recommendations.models import Item, Placement
from workers.synthetic.checks import ITEMS, ORIGIN, SCOPES, item_of

SLUG, NAME, CLIENT = "synthetic-checks", "Synthetic checks", "Synthetic runner"
EVENT_DAYS = 2
_KINDS, _PEOPLE, _EVENTS_EACH = 6, 80, 15


class Command(BaseCommand):
    """Safe to run again: what is there already is not made twice."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Adds what may be left out, and what may be replaced."""
        parser.add_argument("--no-build", action="store_true", help="leave the lists to the next nightly build")
        parser.add_argument("--new-secret", action="store_true", help="replace the client's secret at once")

    def handle(self, *, no_build: bool, new_secret: bool, **_: Any) -> None:
        """Makes the tenant, its data and client; prints credentials that are new.

        Raises: CommandError where the slug is a customer's.
        """
        now = clock.now()
        tenant = _tenant()
        with scope.tenant(tenant.pk):
            filled = Item.objects.filter(tenant=tenant).exists()
            built = Placement.objects.filter(tenant=tenant, active_build__isnull=False).exists()
        if not filled:
            _fill(tenant, now)
        secret = _credentials(tenant, now, renew=new_secret)
        if not (no_build or built):
            call_command("build", tenant=SLUG, wait=True, no_ai=True, stdout=self.stdout, stderr=self.stderr)
        self.stdout.write(secret or f"The client of {SLUG} exists; --new-secret replaces its secret.")


def _tenant() -> Tenant:
    with scope.all_tenants("synthetic checks: their tenant"):
        plan, _ = Plan.objects.get_or_create(name=NAME, defaults={**UNLIMITED, "ai_calls_per_build": 0})
        defaults = {"name": NAME, "plan": plan, "synthetic": True, "allowed_origins": [ORIGIN]}
        tenant, _ = Tenant.objects.get_or_create(slug=SLUG, defaults=defaults)
    if not tenant.synthetic:
        raise CommandError(f"The tenant {SLUG} is a customer's. Synthetic checks need that slug.")
    with scope.tenant(tenant.pk):
        Placement.objects.get_or_create(tenant=tenant, name="home", defaults={"ai": False})
        Retention.objects.get_or_create(tenant=tenant, defaults={"event_days": EVENT_DAYS})
    tenant_cache.load()
    return tenant


def _fill(tenant: Tenant, now: datetime) -> None:
    """A catalogue, and users who like one of a few kinds of items: enough to train on."""
    items = [
        {
            "item_id": item_of(number),
            "title": f"Item {number}",
            "categories": [f"kind-{number % _KINDS}"],
            "attributes": {},
        }
        for number in range(ITEMS)
    ]
    upsert_items(items=items, tenant_id=tenant.pk, now=now)
    record_events(tenant_id=tenant.pk, events=list(_events(now)), now=now)


def _events(now: datetime) -> list[Event]:
    draw = random.Random(1)  # noqa: S311  # the same data each time
    events = []
    for person in range(_PEOPLE):
        liked = range(person % _KINDS, ITEMS, _KINDS)
        for place, number in enumerate(draw.sample(liked, _EVENTS_EACH)):
            at = now - timedelta(hours=24) + timedelta(minutes=person, seconds=20 * place)
            raw = {"user_id": f"synthetic-seed-{person}", "item_id": item_of(number), "type": "purchase"}
            events.append(read_event({**raw, "occurred_at": at.isoformat()}, now=now))
    return events


def _credentials(tenant: Tenant, now: datetime, *, renew: bool) -> str:
    with scope.tenant(tenant.pk):
        client = ApiClient.objects.filter(tenant=tenant, name=CLIENT).first()
        if client is None:
            issued = clients.issue(tenant=tenant, name=CLIENT, scopes=list(SCOPES))
        elif renew:
            issued = clients.renew_secret(client=client, now=now)
        else:
            return ""
    return f"SYNTHETIC_CLIENT_ID={issued.client.client_id}\nSYNTHETIC_CLIENT_SECRET={issued.secret}"
