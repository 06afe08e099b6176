"""Generated tenants for the tests of precompute: people who like one of a few kinds of items."""

from datetime import UTC, datetime, timedelta
from random import Random

from accounts import scope
from accounts.models import Tenant
from recommendations.interactions.event_types import resolve
from recommendations.models import Build, EndUser, Interaction, Item, UserList

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = 4


def fill(tenant: Tenant, *, people: int, items: int, events_each: int = 12, seed: int = 1, cold: int = 0) -> None:
    """A catalogue, people with histories, and `cold` people without; all of it arrived an hour ago."""
    draw = Random(seed)
    arrived = datetime.now(UTC) - timedelta(hours=1)
    with scope.tenant(tenant.pk):
        catalogue = Item.objects.bulk_create(
            Item(
                tenant=tenant,
                item_id=f"i{number:04d}",
                title=f"Title {number}",
                categories=[f"kind {number % KINDS}"],
                updated_at=arrived,
            )
            for number in range(items)
        )
        everybody = EndUser.objects.bulk_create(
            EndUser(tenant=tenant, user_id=f"u{number:04d}", last_event_at=arrived if number < people else None)
            for number in range(people + cold)
        )
        view = resolve(tenant_id=tenant.pk, names=["view"])["view"]
        rows = []
        for number, person in enumerate(everybody[:people]):
            mine = [item for place, item in enumerate(catalogue) if place % KINDS == number % KINDS]
            others = draw.sample(catalogue, 2)
            chosen = dict.fromkeys(draw.sample(mine, min(len(mine), events_each - 2)) + others)
            for place, item in enumerate(chosen):
                rows.append(interaction(tenant, person, item, view, START + timedelta(hours=number, minutes=place)))
        Interaction.objects.bulk_create(rows, batch_size=2000)


def interaction(tenant: Tenant, person: EndUser, item: Item, event_type: int, at: datetime) -> Interaction:
    """One row, as `record` writes it."""
    number = (person.pk << 64) | (item.pk << 32) | int(at.timestamp())
    return Interaction(
        tenant=tenant,
        end_user=person,
        item=item,
        type_id=event_type,
        occurred_at=at,
        received_at=at,
        digest=f"{number:032x}",
    )


def lists_of(tenant: Tenant, build: Build) -> dict[str, UserList]:
    """The build's lists by person; fails where somebody has two."""
    with scope.tenant(tenant.pk):
        rows = list(UserList.objects.filter(build=build).select_related("end_user"))
    found = {row.end_user.user_id: row for row in rows}
    assert len(found) == len(rows)
    return found
