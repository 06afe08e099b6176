"""One person, program or clock among many: nobody weighs more than one, and nobody's clock is everybody's."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.models.association import basket_associations
from recommendations.algorithms.models.recent_popularity import RecentPopularity
from recommendations.interactions import reference_time, training_window
from recommendations.interactions.event_weights import resolve_event_types
from recommendations.models import EndUser, EventType, Interaction, Item, ReferenceList
from recommendations.pipeline.builds import refresh_popular
from recommendations.pipeline.candidates import segment_popular
from recommendations.pipeline.fresh_items import audience
from tests.recommendations.pipeline.generated import KINDS, build_now, fill, interaction, stored

PEOPLE, ITEMS = 120, 60
FAR, LONG_AGO = datetime(2100, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)
WINDOWS = ("1d", "7d", "30d")


@pytest.fixture
def tenant(committed_db, cast):
    """120 people of one segment, whose events lie in the last two days."""
    tenant = cast.acme.tenant
    fill(tenant, people=PEOPLE, items=ITEMS)
    now = clock.now()
    with scope.tenant(tenant.pk):
        EndUser.objects.update(segments=["all"])
        rows = list(Interaction.objects.order_by("occurred_at"))
        for number, row in enumerate(rows):
            row.occurred_at = row.received_at = now - timedelta(days=2) * (1 - number / len(rows))
        Interaction.objects.bulk_update(rows, ["occurred_at", "received_at"])
    return tenant


def events(tenant, user_id, item_id, times):
    """Rows as they may stand in the table, whoever let them in."""
    with scope.tenant(tenant.pk):
        person, _ = EndUser.objects.get_or_create(tenant=tenant, user_id=user_id, defaults={"segments": ["all"]})
        item = Item.objects.get(item_id=item_id)
        view = resolve_event_types(tenant_id=tenant.pk, names=["view"])["view"]
        rows = [interaction(tenant, person, item, view, moment) for moment in times]
        for number, row in enumerate(rows):
            row.received_at = min(row.occurred_at, clock.now())
            row.digest = f"{hash((user_id, number)) & (2**128 - 1):032x}"
        Interaction.objects.bulk_create(rows, batch_size=1000)


def lists_for_all(tenant):
    """Item ids of each list that is not one person's or one item's, by kind and subject."""
    if not refresh_popular.refresh(tenant_id=tenant.pk, now=clock.now()):
        build_now(tenant)
    with scope.tenant(tenant.pk):
        rows = ReferenceList.objects.filter(kind__in=["popular", "trending", "segment"])
        found = {(row.kind, row.subject): [each["item_id"] for each in stored(row).entries()] for row in rows}
    found["segments", ""] = [
        entry.item_id
        for entry in segment_popular.popular_by_segment(
            tenant_id=tenant.pk, by="segments", withdrawn=(), locale="en", now=clock.now()
        )["segments=all"]
    ]
    assert {("popular", ""), *(("popular", w) for w in WINDOWS), *(("trending", w) for w in WINDOWS)} <= found.keys()
    return found


class TestRobot:
    def test_is_one_person_in_every_list(self, tenant):
        start = clock.now() - timedelta(hours=1)
        with scope.tenant(tenant.pk):
            rare = min(
                Item.objects.all(), key=lambda item: (Interaction.objects.filter(item=item).count(), item.item_id)
            )
        events(tenant, "robot", rare.item_id, [start + timedelta(seconds=number) for number in range(3000)])

        found = lists_for_all(tenant)

        for which, item_ids in found.items():
            assert rare.item_id not in item_ids[:10], which

    @pytest.mark.slow
    def test_does_not_become_the_person_whom_everything_fits(self, tenant):
        start = clock.now() - timedelta(hours=1)
        events(tenant, "robot", "i0002", [start + timedelta(seconds=number) for number in range(3000)])
        wanted = {f"i{number:04d}": 1.0 for number in range(2, ITEMS, KINDS)}

        pks, _ = audience.find_audience(tenant_id=tenant.pk, items=[wanted], per_item=20, limit=20, now=clock.now())

        with scope.tenant(tenant.pk):
            assert EndUser.objects.get(user_id="robot").pk not in pks

    def test_counts_once_for_what_is_bought_together(self):
        """Ten people buy 0 and 1; one buys 0 and 2 every day for a hundred days."""
        users = np.repeat(np.arange(10), 2)
        items = np.tile([0, 1], 10)
        days = np.repeat(np.arange(100), 2) * 2 * 86_400.0
        users = np.concatenate([users, np.full(200, 10)])
        items = np.concatenate([items, np.tile([0, 2], 100)])
        times = np.concatenate([np.zeros(20), days])

        found = basket_associations(users, items, times, item_count=3, neighbours=2).toarray()

        assert found[0, 1] == pytest.approx(10 / np.sqrt(11 * 10))
        assert found[0, 2] == pytest.approx(1 / np.sqrt(11))


class TestClocks:
    @pytest.mark.slow
    def test_one_of_the_far_future_and_one_of_1970_change_nothing(self, tenant):
        before = lists_for_all(tenant)
        events(tenant, "ahead", "i0001", [FAR])
        events(tenant, "behind", "i0002", [LONG_AGO])

        after = lists_for_all(tenant)

        for which, item_ids in before.items():
            # One more person chose one item, which may move it among its equals.
            same = len(set(item_ids[:20]) & set(after[which][:20]))
            assert same >= 18, which
            assert len(after[which]) >= len(item_ids), which

    @pytest.mark.slow
    def test_somebody_in_the_far_future_does_not_make_others_fade(self, tenant):
        with scope.tenant(tenant.pk):
            EventType.objects.filter(name="view").update(half_life_days=2.0)
        weights = np.sort(training_window.read_window(tenant_id=tenant.pk).weights)
        events(tenant, "ahead", "i0001", [FAR])

        window = training_window.read_window(tenant_id=tenant.pk)

        assert np.median(window.weights) == pytest.approx(np.median(weights), rel=0.05)
        assert window.weights.max() == 1.0

    @pytest.mark.slow
    def test_the_moment_is_as_far_as_several_people_came(self, tenant):
        now = clock.now()
        with scope.tenant(tenant.pk):
            whole = reference_time.as_of(tenant_id=tenant.pk, now=now)
            Interaction.objects.update(occurred_at=LONG_AGO)
        events(tenant, "today", "i0001", [now - timedelta(minutes=1), now - timedelta(minutes=2)])
        events(tenant, "ahead", "i0001", [FAR])

        with scope.tenant(tenant.pk):
            assert now - timedelta(days=1) < whole <= now
            assert reference_time.as_of(tenant_id=tenant.pk, now=now) == LONG_AGO
            Interaction.objects.all().delete()
            assert reference_time.as_of(tenant_id=tenant.pk, now=now) == now

    @pytest.mark.parametrize(("people", "place"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (8, 5), (9, 5), (12, 5)])
    def test_database_and_memory_agree(self, cast, people, place):
        tenant, now = cast.acme.tenant, datetime(2026, 3, 1, tzinfo=UTC)
        fill(tenant, people=0, items=2)
        for number in range(people):
            events(tenant, f"p{number}", "i0001", [now - timedelta(days=number), now - timedelta(days=50 + number)])

        with scope.tenant(tenant.pk):
            moment = reference_time.as_of(tenant_id=tenant.pk, now=clock.now())

        assert moment == now - timedelta(days=place - 1)
        assert training_window.read_window(tenant_id=tenant.pk).interactions().end() == moment.timestamp()

    @pytest.mark.slow
    def test_data_that_ended_long_ago_has_lists_too(self, tenant):
        with scope.tenant(tenant.pk):
            for row in (rows := list(Interaction.objects.all())):
                row.occurred_at -= timedelta(days=9000)
            Interaction.objects.bulk_update(rows, ["occurred_at"])

        found = lists_for_all(tenant)

        assert all(len(item_ids) >= 20 for item_ids in found.values())

    def test_recent_popularity_ages_from_where_many_are(self):
        """Twenty people choose 0 long ago and 1 lately; one clock of the far future chooses 2."""
        day = 86_400.0
        users = np.concatenate([np.repeat(np.arange(20), 2), [20]])
        items = np.concatenate([np.tile([0, 1], 20), [2]])
        times = np.concatenate([np.tile([0.0, 300 * day], 20), [40_000 * day]])
        rows = Interactions.from_codes(users, items, times, [f"{n:02d}" for n in range(21)], ["a", "b", "c"])

        scores = RecentPopularity(days=30).fit(rows, None).values  # type: ignore[arg-type]

        assert scores.tolist() == pytest.approx([20 * 2**-10, 20.0, 1.0])
