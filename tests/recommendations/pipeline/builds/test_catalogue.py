"""Items that nobody has chosen yet, from the catalogue to lists and similar items."""

import pytest

from accounts.tenancy import scope
from recommendations.models import Item, ReferenceList
from recommendations.pipeline.builds import catalogue as contents
from tests.recommendations.pipeline.generated import build_now, happen, lists_of, stored

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def new_items(acme):
    """The titles of all items tell their kind, and there are three new ones of kind 0, one of them deleted."""
    with scope.tenant(acme.pk):
        for number, item in enumerate(Item.objects.order_by("item_id")):
            item.title = f"{('amber', 'birch', 'coral', 'delta')[number % 4]} thing {number}"
            item.save(update_fields=["title"])
        return Item.objects.bulk_create(
            Item(
                tenant=acme,
                item_id=f"new{number}",
                title=f"amber novelty {number}",
                categories=["kind 0"],
                deleted_at="2026-01-01T00:00:00Z" if number == 2 else None,
            )
            for number in range(3)
        )


def test_a_catalogue_is_read_without_deleted_items(acme, new_items):
    catalogue = contents.read_catalogue(tenant_id=acme.pk)

    assert {"new0", "new1", "i0000"} <= set(catalogue.item_ids)
    assert "new2" not in catalogue.item_ids
    assert "category=kind 0" in catalogue.documents[catalogue.item_ids.index("new0")]


def test_they_get_into_lists_and_have_similar_items(acme, new_items):
    build = build_now(acme)

    holding = [row for row in lists_of(acme, build).values() if "new0" in str(stored(row).entries())]
    assert len(holding) >= 8  # a quarter of the people like this kind
    with scope.tenant(acme.pk):
        found = stored(ReferenceList.objects.get(build=build, kind="similar", subject="new0"))
    assert len(found.entries()) >= 5
    assert set(found.parts) == {"text"}
    with scope.tenant(acme.pk):
        of_known = stored(ReferenceList.objects.get(build=build, kind="similar", subject="i0000"))
    assert any(entry["item_id"].startswith("new") for entry in of_known.entries())


@pytest.mark.slow
def test_somebody_who_chose_only_a_new_item_gets_its_like(acme, new_items):
    happen(acme, "u-new", "new0")

    build = build_now(acme)

    row = lists_of(acme, build)["u-new"]
    assert row.source == "model"
    first = [entry["item_id"] for entry in stored(row).entries()[:10]]
    assert "new0" not in first
    assert sum(item.startswith("new") or int(item[1:]) % 4 == 0 for item in first) >= 8
