"""From the catalogue to everybody's list: new items get the places that a training gave them, and fit."""

import pytest

from accounts.models import Tenant
from accounts.tenancy import scope
from core import clock
from recommendations.models import Artefact, Item
from recommendations.pipeline.fresh_items import run
from tests.recommendations.pipeline.generated import KINDS, build_now, fill, lists_of, stored

PEOPLE, ITEMS, NEW = 60, 120, 12


@pytest.fixture
def acme(committed_db, cast):
    """People of four kinds and their items, and a dozen items that nobody has chosen, three of each kind."""
    tenant = cast.acme.tenant
    fill(tenant, people=PEOPLE, items=ITEMS)
    with scope.tenant(tenant.pk):
        Item.objects.bulk_create(new(tenant, f"new{number:02d}", number) for number in range(NEW))
    return tenant


def new(tenant, item_id, kind):
    """It has the texts of its kind, and those of the generated items are such."""
    return Item(tenant=tenant, item_id=item_id, title=f"Title {item_id}", categories=[f"kind {kind % KINDS}"])


def decided(tenant):
    with scope.tenant(tenant.pk):
        return Artefact.objects.latest("pk").chosen["cold"]


def places_of_new(tenant, build):
    """By person, the places (from 1) at which new items stand, and which."""
    found = {}
    for name, row in lists_of(tenant, build).items():
        entries = stored(row).entries()
        found[name] = {
            place: entry["item_id"] for place, entry in enumerate(entries, 1) if entry["item_id"].startswith("new")
        }
    return found


def asked_for(tenant, places):
    with scope.tenant(tenant.pk):
        Tenant.objects.filter(pk=tenant.pk).update(cold_items=places)


class TestItemsThatNobodyChooses:
    def test_stand_behind_the_first_twenty_places_and_can_be_found(self, acme):
        build = build_now(acme)

        found = places_of_new(acme, build)
        assert decided(acme)["every"] == 50
        assert min(place for each in found.values() for place in each) == 50
        assert sum(1 for each in found.values() if 50 in each) > PEOPLE / 2


class TestATenantsOwnNumber:
    @pytest.mark.slow
    def test_gives_so_many_places_to_items_of_the_persons_kind(self, acme):
        asked_for(acme, 10)

        found = places_of_new(acme, build_now(acme))

        assert decided(acme)["why"] == "It was requested."
        assert {place for each in found.values() for place in each if place <= 20} == {10, 20}
        fitting = [(name, item_id) for name, each in found.items() for place, item_id in each.items() if place <= 20]
        assert len(fitting) > PEOPLE
        assert {(int(name[1:]) - int(item_id[3:])) % KINDS for name, item_id in fitting} == {0}

    @pytest.mark.slow
    def test_may_be_none(self, acme):
        asked_for(acme, 0)

        build = build_now(acme)

        assert not any(places_of_new(acme, build).values())

    @pytest.mark.slow
    def test_holds_for_items_that_came_after_the_training(self, acme):
        with scope.tenant(acme.pk):
            Item.objects.filter(item_id__startswith="new").delete()
        asked_for(acme, 10)
        build = build_now(acme)
        with scope.tenant(acme.pk):
            new(acme, "new01", 1).save()

        assert run.process_fresh_items(tenant_id=acme.pk, now=clock.now()) == 1

        found = {name: each for name, each in places_of_new(acme, build).items() if each}
        assert {int(name[1:]) % KINDS for name in found} == {1}
        assert {place for each in found.values() for place in each} == {10}
