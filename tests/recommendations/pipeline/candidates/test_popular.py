"""The list for everybody: follows what is chosen now, without being overturned by a few."""

from datetime import timedelta

from accounts.tenancy import scope
from core import clock, redis
from recommendations.cache import keys, list_codec
from recommendations.interactions.event_weights import resolve_event_types
from recommendations.models import EndUser, Interaction, Item, ReferenceList
from recommendations.pipeline.builds import refresh_popular
from recommendations.pipeline.task_names import REFRESH_TENANT_POPULAR
from tests.recommendations.pipeline.generated import first_build, happen, interaction
from tests.recommendations.pipeline.queue import sent


def listed(tenant):
    with scope.tenant(tenant.pk):
        row = ReferenceList.objects.get(kind="popular", subject="")
    return list_codec.decode(bytes(row.body))


def chosen_by_many(tenant, item_id, *, times, at):
    with scope.tenant(tenant.pk):
        item = Item.objects.get(item_id=item_id)
        new = (EndUser(tenant=tenant, user_id=f"many {number}") for number in range(times))
        people = EndUser.objects.bulk_create(new)
        view = resolve_event_types(tenant_id=tenant.pk, names=["view"])["view"]
        Interaction.objects.bulk_create(
            interaction(tenant, person, item, view, at + timedelta(seconds=number))
            for number, person in enumerate(people)
        )


class TestRefresh:
    def test_what_is_chosen_now_rises(self, acme):
        first_build(acme)
        chosen_by_many(acme, "i0050", times=200, at=clock.now() - timedelta(hours=1))

        assert refresh_popular.refresh(tenant_id=acme.pk, now=clock.now())

        after = listed(acme)
        assert after.head_ids[0] == "i0050"
        assert after.entries()[0]["reason"] == "Popular right now"
        assert after.provenance.version == 2
        held = list_codec.decode(redis.client().get(keys.reference_list(acme.pk, "popular")))
        assert held.head_ids == after.head_ids

    def test_a_few_new_choices_do_not_overturn_what_many_chose(self, acme):
        first_build(acme)
        first = listed(acme).head_ids[0]
        other = listed(acme).entries()[-1]["item_id"]
        # A year later than everything else, so that only these are recent.
        chosen_by_many(acme, other, times=3, at=clock.now())

        refresh_popular.refresh(tenant_id=acme.pk, now=clock.now())

        assert listed(acme).head_ids[0] == first

    def test_items_that_may_not_be_shown_leave(self, acme):
        first_build(acme)
        gone = listed(acme).head_ids[0]
        with scope.tenant(acme.pk):
            Item.objects.filter(item_id=gone).update(hidden=True)

        refresh_popular.refresh(tenant_id=acme.pk, now=clock.now())

        assert gone not in {entry["item_id"] for entry in listed(acme).entries()}

    def test_an_older_one_does_not_replace_a_newer_one(self, acme):
        first_build(acme)

        assert not refresh_popular.refresh(tenant_id=acme.pk, now=clock.now() - timedelta(hours=1))

        assert listed(acme).provenance.version == 1

    def test_new_items_come_in_without_a_build(self, acme):
        first_build(acme)
        for number in range(5):
            happen(acme, f"u{number:04d}", "brand-new")

        refresh_popular.refresh(tenant_id=acme.pk, now=clock.now())

        assert "brand-new" in {entry["item_id"] for entry in listed(acme).entries()}

    def test_without_a_snapshot_there_is_nothing_to_do(self, acme):
        assert not refresh_popular.refresh(tenant_id=acme.pk, now=clock.now())


def test_every_tenant_with_a_snapshot_is_asked_for(acme, cast):
    first_build(acme)

    assert refresh_popular.refresh_all() == 1

    assert sent(REFRESH_TENANT_POPULAR) == [{"tenant_id": acme.pk}]
