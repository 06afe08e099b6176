"""Stored lists made by hand, for tests of what serves them."""

from datetime import UTC, datetime

from accounts.models import Tenant
from accounts.tenancy import scope
from recommendations.cache.list_codec import Entry, Provenance, encode
from recommendations.models import Build, EndUser, Item, Placement, ReferenceList, UserList

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
STAMP = "2026-11-23T12:00:00Z"


def body(owner, item_ids, *, build=1, version=1, source="model", degraded=None, until=None):
    """A list of these items, best first."""
    entries = [
        Entry(item_id, float(len(item_ids) - place), "Because you liked X", ("h1",), "item_item")
        for place, item_id in enumerate(item_ids)
    ]
    made = Provenance(build, version, source, STAMP, artefact=None, degraded=degraded)
    return encode(provenance=made, owner=owner, entries=entries, until=until)


def publish(tenant: Tenant, *, people, items, popular=(), similar=None, common=None):
    """A published build with `people` (user id -> item ids), in Postgres only; `common` by kind and subject."""
    with scope.tenant(tenant.pk):
        Item.objects.bulk_create(Item(tenant=tenant, item_id=item_id, title=f"Title {item_id}") for item_id in items)
        placement, _ = Placement.objects.get_or_create(tenant=tenant, name="home")
        build = Build.objects.create(tenant=tenant, status="published", reason="test", cutoff=NOW, started_at=NOW)
        persons = EndUser.objects.bulk_create(EndUser(tenant=tenant, user_id=user_id) for user_id in people)
        UserList.objects.bulk_create(
            UserList(
                tenant=tenant,
                build=build,
                placement=placement,
                end_user=person,
                source="model",
                body=body(person.user_id, people[person.user_id], build=build.pk),
                generated_at=NOW,
            )
            for person in persons
        )
        for kind, subject, item_ids in [
            ("popular", "", popular),
            *(("similar", key, ids) for key, ids in (similar or {}).items()),
            *((kind, subject, ids) for (kind, subject), ids in (common or {}).items()),
        ]:
            if item_ids:
                ReferenceList.objects.create(
                    tenant=tenant,
                    build=build,
                    kind=kind,
                    subject=subject,
                    body=body("", item_ids, build=build.pk, source="model" if kind == "similar" else "popular"),
                    generated_at=NOW,
                )
        placement.active_build = build
        placement.save(update_fields=["active_build"])
    return build


def create_placement(*, tenant_id, name):
    """A placement of the tenant, created if it does not exist."""
    with scope.tenant(tenant_id):
        placement, _ = Placement.objects.get_or_create(tenant_id=tenant_id, name=name)
    return placement
