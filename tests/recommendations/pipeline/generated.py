"""Generated tenants for the tests of precompute: people who like one of a few kinds of items."""

from datetime import UTC, datetime, timedelta
from random import Random

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from recommendations.cache import list_codec
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.event_weights import resolve_event_types
from recommendations.interactions.ingest import record_events
from recommendations.models import Artefact, Build, EndUser, Interaction, Item, ReferenceList, UserList
from recommendations.pipeline.builds import lifecycle, publish, score, train
from tests import worlds

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = 4


def fill(
    tenant: Tenant, *, people: int, items: int, events_each: int = 12, seed: int = 1, cold: int = 0, noise: int = 2
) -> None:
    """A catalogue, users with histories, and `cold` users without; all of it arrived an hour ago.

    The last `noise` events of each user are of items at random.
    """
    draw = Random(seed)
    arrived = clock.now() - timedelta(hours=1)
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
        view = resolve_event_types(tenant_id=tenant.pk, names=["view"])["view"]
        rows = []
        for number, person in enumerate(everybody[:people]):
            mine = [item for place, item in enumerate(catalogue) if place % KINDS == number % KINDS]
            others = draw.sample(catalogue, noise)
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


def build_now(tenant: Tenant, *, ai: bool = False, until: str = "published", validation: str = "") -> Build:
    """The whole pipeline in this process, step by step, or only as far as `until` says."""
    build = lifecycle.start(tenant_id=tenant.pk, reason="test", now=clock.now(), ai=ai, validation=validation)
    train.train_step(tenant_id=tenant.pk, build_id=build.pk)
    if until == "scoring":
        return reread(build)
    while score.score_chunk(tenant_id=tenant.pk, build_id=build.pk):
        pass
    if until == "published":
        publish.publish_step(tenant_id=tenant.pk, build_id=build.pk)
    return reread(build)


def first_build(tenant: Tenant) -> Build:
    """As `build_now`, of a tenant that is as its fixture left it, in a deployment as it is by default."""
    made = worlds.begin_with(("built", tenant.slug), lambda: build_now(tenant))
    return reread(made)


def reread(build: Build) -> Build:
    """The build as it is now."""
    with scope.tenant(build.tenant_id):
        return Build.objects.get(pk=build.pk)


def artefact_of(build: Build) -> Artefact:
    """Return the artefact that the build's lists are made with."""
    assert build.artefact_id is not None
    with scope.tenant(build.tenant_id):
        return Artefact.objects.get(pk=build.artefact_id)


def happen(tenant: Tenant, user_id: str, *item_ids: str, at: datetime | None = None) -> EndUser:
    """Events of a person arrive now, as `record` takes them."""
    now = clock.now()
    events = [
        read_event({"user_id": user_id, "item_id": item_id, "type": "view"}, now=at or now) for item_id in item_ids
    ]
    record_events(tenant_id=tenant.pk, events=events, now=now)
    with scope.tenant(tenant.pk):
        return EndUser.objects.get(user_id=user_id)


def stored(row: UserList | ReferenceList) -> list_codec.StoredList:
    """The list that a row holds."""
    return list_codec.decode(bytes(row.body))
