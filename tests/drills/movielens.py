"""The bundled MovieLens facts as a tenant's data, without the importer, so that a drill depends on nothing else."""

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.interactions.event_weights import resolve_event_types
from recommendations.models import EndUser, Interaction, Item

FOLDER = Path(__file__).resolve().parents[1] / "data" / "movielens"


def load(tenant: Tenant, *, people_limit: int | None = None) -> int:
    """Fills the tenant, with the first so many people if a limit is given; returns the number of people."""
    with scope.tenant(tenant.pk):
        items = {
            row["item_id"]: Item(
                tenant=tenant,
                item_id=row["item_id"],
                title=row["title"],
                categories=[name for name in row["categories"].split("|") if name],
                attributes=json.loads(row["attributes"] or "{}"),
            )
            for row in _rows("items.csv.gz")
        }
        Item.objects.bulk_create(items.values(), batch_size=2000)
        events = list(_rows("events.csv.gz"))
        names = list(dict.fromkeys(row["user_id"] for row in events))[:people_limit]
        people = {name: EndUser(tenant=tenant, user_id=name) for name in names}
        EndUser.objects.bulk_create(people.values())
        kinds = resolve_event_types(tenant_id=tenant.pk, names={row["type"] for row in events})
        rows = (
            Interaction(
                tenant=tenant,
                end_user=people[row["user_id"]],
                item=items[row["item_id"]],
                type_id=kinds[row["type"]],
                value=float(row["value"]),
                occurred_at=datetime.fromtimestamp(int(row["occurred_at"]), UTC),
                digest=f"{number:032x}",
            )
            for number, row in enumerate(events)
            if row["item_id"] in items and row["user_id"] in people
        )
        Interaction.objects.bulk_create(rows, batch_size=5000)
    return len(people)


def _rows(name: str):
    with gzip.open(FOLDER / name, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
