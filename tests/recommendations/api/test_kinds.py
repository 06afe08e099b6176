"""Trending, latest, bought together and sessions: from a build over generated people, over the API."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import scope
from core import clock
from recommendations.algorithms.models.association import basket_associations
from recommendations.models import Interaction, Item
from recommendations.pipeline.builds import refresh_popular
from tests.recommendations.pipeline.generated import build_now, fill, happen

DAY = timedelta(days=1)


@pytest.fixture
def acme(committed_db, cast):
    """Forty people with histories of January, and fifteen who chose three things together just now."""
    fill(cast.acme.tenant, people=20, items=40)
    for person in range(15):
        happen(cast.acme.tenant, f"u{person:04d}", "i0010", "i0021", "i0032")
    build_now(cast.acme.tenant)
    return cast.acme


def items(response):
    assert response.status_code == 200, response.content
    return [item["item_id"] for item in response.json()["items"]]


class TestKinds:
    def test_every_kind_says_how_it_was_made(self, acme, round_trips):
        trending = acme.http.get("/api/v1/recommendations/trending?window=1d")
        week = acme.http.get("/api/v1/recommendations/popular?window=7d")
        latest = acme.http.get("/api/v1/recommendations/latest")
        bought = acme.http.get("/api/v1/items/i0010/frequently-bought-together")

        assert set(items(trending)) == set(items(week)[:3]) == {"i0010", "i0021", "i0032"}
        assert items(bought)[:2] in (["i0021", "i0032"], ["i0032", "i0021"])
        assert bought.json()["items"][0]["reason"] == "Often chosen with Title 10"
        assert len(items(latest)) == 20
        assert [each.json()["source"] for each in (trending, week, latest, bought)] == [
            "popular",
            "popular",
            "static",
            "model",
        ]
        for path in ("recommendations/trending", "recommendations/latest", "items/i0010/frequently-bought-together"):
            acme.http.get(f"/api/v1/{path}")
            round_trips.clear()
            with CaptureQueriesContext(connection) as queries:
                acme.http.get(f"/api/v1/{path}")
            assert (len(round_trips), len(queries)) == (1, 0), path

    def test_a_visit_gets_what_goes_with_it_and_nothing_is_stored(self, acme):
        with scope.tenant(acme.tenant.pk):
            before = Interaction.objects.count()
        visit = {"events": [{"item_id": "i0003"}, {"item_id": "i0010", "type": "view"}], "explain": True, "limit": 30}

        response = acme.http.post("/api/v1/recommendations/session", visit, format="json")

        body = response.json()
        assert {"i0021", "i0032"} <= set(items(response)[:10])
        assert not {"i0003", "i0010"} & set(items(response))
        (bought,) = [each for each in body["items"] if each["item_id"] == "i0021"]
        assert {"item_id": "i0010"} in bought["evidence"]
        assert (body["source"], body["user_id"], len(items(response))) == ("model", None, 30)
        visit["cursor"] = body["next"]
        assert not set(items(acme.http.post("/api/v1/recommendations/session", visit, format="json"))) & set(
            items(response)
        )
        with scope.tenant(acme.tenant.pk):
            assert Interaction.objects.count() == before

    @pytest.mark.slow
    def test_the_hourly_refresh_takes_in_what_is_new(self, acme):
        for person in range(20):
            happen(acme.tenant, f"u{person:04d}", "i0015", "i0015")

        assert refresh_popular.refresh(tenant_id=acme.tenant.pk, now=clock.now())

        assert items(acme.http.get("/api/v1/recommendations/trending?window=1d"))[0] == "i0015"


class TestWithoutABuild:
    def test_latest_follows_the_catalogue(self, cast):
        with scope.tenant(cast.acme.tenant.pk):
            for age in range(3):
                created = clock.now() - age * DAY
                Item.objects.create(tenant=cast.acme.tenant, item_id=f"a{age}", created_at=created, hidden=age == 1)

        assert items(cast.acme.http.get("/api/v1/recommendations/latest")) == ["a0", "a2"]
        assert items(cast.globex.http.get("/api/v1/recommendations/latest")) == []

    def test_trending_and_a_visit_are_what_stands_for_them(self, cast):
        trending = cast.acme.http.get("/api/v1/recommendations/trending").json()
        visit = cast.acme.http.post("/api/v1/recommendations/session", {"events": [{"item_id": "x"}]}, format="json")

        assert (trending["source"], trending["degraded"]) == ("static", "no_items")
        assert (visit.json()["source"], visit.json()["degraded"]) == ("static", "no_items")

    @pytest.mark.parametrize(
        ("path", "pointer"),
        [("trending?window=2d", "/window"), ("popular?window=x", "/window"), ("latest?filter=a", "/filter")],
    )
    def test_a_bad_option_is_named(self, cast, path, pointer):
        response = cast.acme.http.get(f"/api/v1/recommendations/{path}")

        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, pointer)

    def test_an_empty_visit_is_refused(self, cast):
        response = cast.acme.http.post("/api/v1/recommendations/session", {"events": []}, format="json")

        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/events")

    def test_bought_with_an_unknown_item_is_404(self, cast):
        assert cast.acme.http.get("/api/v1/items/unknown/frequently-bought-together").status_code == 404


def test_baskets_end_with_a_pause():
    users, bought = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 0, 1, 2])
    times = np.array([0.0, 10.0, 10.0 + 2 * 86_400, 0.0, 5.0, 0.0])

    found = basket_associations(users, bought, times, item_count=3, neighbours=2).toarray()

    assert found[0, 1] == pytest.approx(1.0)
    assert found[2].sum() == 0
    assert found.diagonal().sum() == 0
