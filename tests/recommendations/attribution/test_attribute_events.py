"""Clicks, conversions and explicit impressions against what was shown."""

from datetime import timedelta

import pytest

from accounts.models import Tenant
from accounts.tenancy import scope, tenant_cache
from core import clock
from recommendations.attribution import attribute_events, cleanup, stream_consumer
from recommendations.models import Feedback, Impression, PlacementStat
from tests.recommendations.attribution.conftest import URL

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(acme, collecting):
    """The id of a page that was served to ann, and counted."""
    answer = acme.http.get(URL.format("ann")).json()
    collecting.flush()
    stream_consumer.flush(now=clock.now())
    return answer["recommendation_id"]


def send(acme, recommendation_id, *, user="ann", kind="click", item="i000", at=None, **more):
    body = {"user_id": user, "item_id": item, "type": kind, "recommendation_id": recommendation_id, **more}
    response = acme.http.post("/api/v1/events", body | ({"occurred_at": at.isoformat()} if at else {}), format="json")
    assert response.status_code in (200, 201), response.content


def outcomes(acme):
    with scope.tenant(acme.tenant.pk):
        stats = list(PlacementStat.objects.all())
    return sum(stat.clicks for stat in stats), sum(stat.conversions for stat in stats)


def settled(acme, now=None):
    attribute_events.attribute(now=now or clock.now())
    return outcomes(acme)


def waiting(acme):
    with scope.tenant(acme.tenant.pk):
        return Feedback.objects.count()


def choose(acme, **chosen):
    with scope.tenant(acme.tenant.pk):
        Tenant.objects.filter(pk=acme.tenant.pk).update(**chosen)
    tenant_cache.load()


class TestListsAtNoPlacement:
    @pytest.mark.parametrize(
        ("path", "label"),
        [
            ("recommendations/popular", "@popular"),
            ("recommendations/trending", "@trending"),
            ("recommendations/latest", "@latest"),
            ("items/i001/similar", "@similar"),
            ("items/i001/frequently-bought-together", "@together"),
        ],
    )
    def test_are_counted_by_their_kind_where_impressions_are_sent(self, acme, path, label):
        choose(acme, impressions=Tenant.Impressions.EXPLICIT)
        answer = acme.http.get(f"/api/v1/{path}").json()
        send(acme, answer["recommendation_id"], kind="impression", item=answer["items"][0]["item_id"])

        settled(acme)

        with scope.tenant(acme.tenant.pk):
            assert list(PlacementStat.objects.values_list("placement", flat=True)) == [label]


class TestAClick:
    def test_counts_for_the_page_it_names(self, acme, page):
        send(acme, page)
        send(acme, page, kind="purchase")
        send(acme, page, kind="view")

        assert settled(acme) == (1, 1)
        assert waiting(acme) == 0

    def test_counts_once_however_often_it_is_sent_and_settled(self, acme, page):
        for _ in range(3):
            send(acme, page, event_id="e1")
            assert settled(acme) == (1, 0)

    def test_of_another_person_does_not_count(self, acme, page):
        send(acme, page, user="bob")

        assert settled(acme) == (0, 0)

    def test_of_another_tenant_does_not_count(self, acme, cast, page):
        send(cast.globex, page)

        assert settled(acme) == (0, 0)
        assert outcomes(cast.globex) == (0, 0)

    def test_counts_within_the_window_and_not_beyond(self, acme, page):
        choose(acme, attribution_hours=1)
        now = clock.now()
        send(acme, page, at=now + timedelta(minutes=59), event_id="inside")
        send(acme, page, at=now + timedelta(minutes=61), event_id="beyond")
        send(acme, page, at=now - timedelta(minutes=2), event_id="before it was shown")

        assert settled(acme) == (1, 0)

    def test_forgives_a_clock_that_counts_whole_seconds(self, acme, page):
        send(acme, page, at=clock.now().replace(microsecond=0) - timedelta(seconds=1))

        assert settled(acme) == (1, 0)

    def test_that_comes_before_its_impression_is_tried_again(self, acme, collecting):
        answer = acme.http.get(URL.format("ann")).json()
        send(acme, answer["recommendation_id"])
        assert settled(acme) == (0, 0)
        collecting.flush()
        stream_consumer.flush(now=clock.now())

        assert settled(acme) == (0, 0)  # not due yet
        assert settled(acme, now=clock.now() + timedelta(seconds=6)) == (1, 0)

    def test_without_an_impression_is_let_go_after_a_day(self, acme, page):
        send(acme, page, user="bob")
        settled(acme)
        assert waiting(acme) == 1

        assert settled(acme, now=clock.now() + timedelta(days=1, minutes=1)) == (0, 0)
        assert waiting(acme) == 0

    def test_with_an_id_that_is_none_is_let_go_at_once(self, acme, page):
        send(acme, "my-own-id")

        assert settled(acme) == (0, 0)
        assert waiting(acme) == 0

    def test_on_a_list_of_no_person_counts_for_whoever_clicked(self, acme, collecting):
        answer = acme.http.get("/api/v1/recommendations/popular").json()
        collecting.flush()
        stream_consumer.flush(now=clock.now())
        send(acme, answer["recommendation_id"], user="bob")

        assert settled(acme) == (1, 0)

    def test_on_a_page_for_an_unknown_person_counts(self, acme, collecting):
        answer = acme.http.get(URL.format("new")).json()
        send(acme, answer["recommendation_id"], user="new")
        collecting.flush()
        stream_consumer.flush(now=clock.now())

        assert settled(acme) == (1, 0)

    def test_counts_by_the_tenants_words_for_a_conversion(self, acme, page):
        choose(acme, conversion_types="subscribe donate")
        for kind in ("subscribe", "donate", "purchase"):
            send(acme, page, kind=kind)

        assert settled(acme) == (0, 2)

    def test_still_finds_its_impression_after_tidying_within_the_window(self, acme, page):
        cleanup.tidy(now=clock.now() + timedelta(hours=167))
        send(acme, page)

        assert settled(acme) == (1, 0)

    def test_counts_for_the_person_whom_the_page_was_shown_to_under_another_name(self, acme, page):
        merged = acme.http.post("/api/v1/users/bob/merge", {"from": "ann"}, format="json")
        assert merged.json()["rows"]["impressions"] == 1
        send(acme, page, user="bob")

        assert settled(acme) == (1, 0)

    def test_goes_with_the_person(self, acme, page):
        send(acme, page, user="bob")
        settled(acme)

        assert acme.http.delete("/api/v1/users/bob").status_code == 200
        assert waiting(acme) == 0


class TestExplicitImpressions:
    def test_are_counted_by_what_their_id_says_and_take_clicks(self, acme, collecting):
        choose(acme, impressions=Tenant.Impressions.EXPLICIT)
        answer = acme.http.get(URL.format("ann")).json()
        send(acme, answer["recommendation_id"], kind="click", event_id="c")
        send(acme, answer["recommendation_id"], kind="impression", item="i000")
        send(acme, answer["recommendation_id"], kind="impression", item="i001")
        settled(acme)

        with scope.tenant(acme.tenant.pk):
            (stat,) = PlacementStat.objects.all()
            assert Impression.objects.count() == 1
        assert (stat.placement, stat.source, stat.impressions, stat.items_shown, stat.clicks) == (
            "home",
            "model",
            2,
            2,
            1,
        )

    def test_are_ignored_where_served_pages_are_counted(self, acme, page):
        send(acme, page, kind="impression")
        settled(acme)

        with scope.tenant(acme.tenant.pk):
            assert [stat.impressions for stat in PlacementStat.objects.all()] == [1]


def test_old_rows_go(acme, page):
    cleanup.tidy(now=clock.now() + timedelta(days=9))
    with scope.tenant(acme.tenant.pk):
        assert (Impression.objects.count(), PlacementStat.objects.count()) == (0, 1)

    cleanup.tidy(now=clock.now() + timedelta(days=93))

    with scope.tenant(acme.tenant.pk):
        assert PlacementStat.objects.count() == 0
