"""GET /insights/placements."""

from datetime import timedelta
from math import log2

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tenancy import scope
from accounts.tokens import access_tokens, clients
from core import clock
from recommendations.attribution import attribute_events, stream_consumer
from recommendations.models import EventType, Item
from tests.recommendations.attribution.conftest import ITEMS, URL, acme, collecting  # noqa: F401  # fixtures

INSIGHTS = "/api/v1/insights/placements"


@pytest.fixture
def shown(acme, collecting):  # noqa: F811
    page = acme.http.get(URL.format("ann") + "?limit=10").json()["recommendation_id"]
    acme.http.get(URL.format("bob") + "?limit=2")
    acme.http.get("/api/v1/recommendations/popular?limit=3")
    for kind in ("click", "purchase"):
        event = {"user_id": "ann", "item_id": "i000", "type": kind, "recommendation_id": page}
        assert acme.http.post("/api/v1/events", event, format="json").status_code == 201
    collecting.flush()
    stream_consumer.flush(now=clock.now())
    attribute_events.attribute(now=clock.now())
    return acme


def test_shows_counts_and_ratios_by_everything(shown):
    today = clock.now().date().isoformat()

    answer = shown.http.get(INSIGHTS).json()

    assert answer["next"] is None
    popular, home = answer["data"]
    assert popular["placement"] == "@popular"
    # Two events are about i000; of 60 items one more event each is assumed.
    novelty = (log2(62 / 3) + 11 * log2(62)) / 12
    assert home == {
        "day": today,
        "placement": "home",
        "arm": "",
        "source": "model",
        "impressions": 2,
        "items_shown": 12,
        "clicks": 1,
        "conversions": 1,
        "ctr": 0.5,
        "conversion": 0.5,
        "coverage": 12 / len(ITEMS),
        "novelty": pytest.approx(novelty, abs=1e-3),
    }


def test_asks_the_tenant_what_is_a_choice(shown):
    """Events of a type that speaks against an item make none of them less novel."""
    tenant = shown.tenant
    before = shown.http.get(INSIGHTS + "?by=").json()["data"][0]["novelty"]
    with scope.tenant(tenant.pk):
        EventType.objects.create(tenant=tenant, name="skip", weight=-1.0)
    for number in range(30):
        event = {"user_id": f"p{number}", "item_id": "i000", "type": "skip"}
        assert shown.http.post("/api/v1/events", event, format="json").status_code == 201

    assert shown.http.get(INSIGHTS + "?by=").json()["data"][0]["novelty"] == pytest.approx(before)


def test_covers_what_may_be_shown_now(shown):
    now = clock.now()
    with scope.tenant(shown.tenant.pk):
        items = Item.objects.order_by("item_id")
        Item.objects.filter(pk__in=items.values("pk")[40:50]).update(available_from=now + timedelta(days=1))
        Item.objects.filter(pk__in=items.values("pk")[50:60]).update(available_until=now - timedelta(days=1))

    (row,) = shown.http.get(INSIGHTS + "?by=").json()["data"]

    assert row["coverage"] == 15 / 40


def test_sums_over_what_is_not_asked_for(shown):
    (row,) = shown.http.get(INSIGHTS + "?by=").json()["data"]

    assert (row["impressions"], row["items_shown"], row["clicks"]) == (3, 15, 1)
    assert (row["day"], row["placement"], row["arm"], row["source"]) == (None, None, None, None)
    assert row["coverage"] == 15 / 60


def test_narrows_to_a_placement_and_days(shown):
    assert len(shown.http.get(INSIGHTS + "?placement=home").json()["data"]) == 1
    assert shown.http.get(INSIGHTS + "?from=2020-01-01&to=2020-02-01").json()["data"] == []


def test_pages_through_and_says_304(shown):
    first = shown.http.get(INSIGHTS + "?limit=1&by=placement")
    second = shown.http.get(INSIGHTS + f"?limit=1&by=placement&cursor={first.json()['next']}")

    assert [row["placement"] for page in (first, second) for row in page.json()["data"]] == ["@popular", "home"]
    assert second.json()["next"] is None
    again = shown.http.get(INSIGHTS + "?limit=1&by=placement", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=yesterday", "/from"),
        ("to=2026-13-01", "/to"),
        ("from=2026-02-02&to=2026-02-01", "/from"),
        ("from=2020-01-01&to=2026-02-01", "/from"),
        ("by=colour", "/by"),
        ("placement=%00", "/placement"),
        ("limit=0", "/limit"),
        ("page=2", "/page"),
    ],
)
def test_names_what_is_wrong(cast, query, pointer):
    response = cast.acme.http.get(f"{INSIGHTS}?{query}")

    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == pointer


def test_a_stranger_sees_nothing_of_it(shown, cast):
    assert cast.globex.http.get(INSIGHTS).json()["data"] == []


def test_needs_its_scope(cast):
    with scope.tenant(cast.acme.tenant.pk):
        issued = clients.issue(tenant=cast.acme.tenant, name="narrow", scopes=["recommendations:read"])
    token = access_tokens.issue(client=issued.client, scopes=["recommendations:read"], now=clock.now())

    refused = cast.anonymous.get(INSIGHTS, headers={"Authorization": f"Bearer {token}"})

    assert refused.status_code == 403


class TestAdmin:
    PAGE = "admin:recommendations_insights"

    def browser(self, **fields):
        User.objects.create_superuser("staff", "staff@example.org", "correct horse battery staple", **fields)
        browser = Client()
        browser.login(username="staff", password="correct horse battery staple")
        return browser

    def query(self, tenant):
        today = clock.now().date().isoformat()
        return f"{reverse(self.PAGE)}?tenant={tenant.pk}&since={today}&until={today}&by=placement&by=source"

    def test_shows_the_same(self, shown):
        page = self.browser().get(self.query(shown.tenant)).content.decode()

        assert "<td>@popular</td>" in page
        for cell in ("home", "2", "1", "50.00 %", "20.0 %", "5.82 bits"):
            assert f"<td>{cell}</td>" in page

    def test_confined_staff_see_their_own(self, shown, cast):
        page = self.browser(tenant=cast.globex.tenant).get(self.query(shown.tenant)).content.decode()

        assert "Select a valid choice" in page
        assert "<td>home</td>" not in page
