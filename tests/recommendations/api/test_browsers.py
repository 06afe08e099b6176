"""Attributes that a user's browser sees: those that the tenant released by name, by showing and by filtering."""

import pytest
from django.test import Client

from accounts.models import Tenant
from accounts.tenancy import scope, tenant_cache
from tests.accounts.api.test_end_user_token import ORIGIN, issue
from tests.recommendations import lists

PERSON = {"attributes": {"risk_score": 0.7, "language": "de"}, "segments": ["chargeback"]}


@pytest.fixture
def ask(cast):
    """The person's list, by their browser."""
    lists.publish(cast.acme.tenant, people={"anna": ["a", "b"]}, items=["a", "b"])
    for name, year in (("a", 1990), ("b", 2010)):
        item = {"title": name, "attributes": {"year": year, "margin": 0.4, "lang": "de"}}
        assert cast.acme.http.put(f"/api/v1/items/{name}", item, format="json").status_code == 200
    assert cast.acme.http.put("/api/v1/users/anna", PERSON, format="json").status_code == 200
    headers = {"Authorization": f"Bearer {issue(cast.acme)}", "Origin": ORIGIN}
    return lambda **query: Client().get("/api/v1/users/anna/recommendations", query, headers=headers)


def _release(cast, **names):
    with scope.all_tenants("test"):
        Tenant.objects.filter(pk=cast.acme.tenant.pk).update(**names)
    tenant_cache.load()


def _ids(answer):
    assert answer.status_code == 200, answer.json()
    return [entry["item_id"] for entry in answer.json()["items"]]


@pytest.mark.parametrize(
    "condition",
    [
        "user.attributes.risk_score > 0.5",
        "user.attributes.risk_score > 0.9",
        "user.attributes.nothing_like_it = 1",
        'user.segments contains "chargeback"',
        "not exists(user.attributes.risk_score)",
        "attributes.margin > 0.3",
        "attributes.lang = user.attributes.language",
        'title = "a" or (title = "b" and not attributes.margin in [0.4])',
        "attributes.year in 1980..1999",
    ],
)
def test_a_filter_asks_for_nothing_that_is_not_released(cast, ask, condition):
    answer = ask(filter=condition)

    assert answer.status_code == 422, answer.json()
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/filter"}
    assert "b" in _ids(cast.acme.http.get("/api/v1/users/anna/recommendations"))


def test_what_is_released_may_be_asked_for(cast, ask):
    _release(cast, browser_item_attributes=["year", "lang"], browser_user_attributes=["language", "segments"])

    assert _ids(ask(filter="attributes.year < 2000")) == ["a"]
    assert _ids(ask(filter="attributes.lang = user.attributes.language")) == ["a", "b"]
    assert _ids(ask(filter='user.segments contains "chargeback"')) == ["a", "b"]
    assert ask(filter="user.attributes.year = 1").status_code == 422
    assert ask(filter="attributes.language = 1").status_code == 422


def test_what_every_answer_shows_may_be_asked_for(ask):
    assert _ids(ask(filter='title = "b"')) == ["b"]


def test_items_are_shown_with_what_is_released(cast, ask):
    assert [entry["item"]["attributes"] for entry in ask(include="item").json()["items"]] == [{}, {}]

    _release(cast, browser_item_attributes=["year"])

    shown = [entry["item"]["attributes"] for entry in ask(include="item").json()["items"]]
    assert shown == [{"year": 1990}, {"year": 2010}]
    whole = cast.acme.http.get("/api/v1/users/anna/recommendations?include=item").json()["items"]
    assert whole[0]["item"]["attributes"] == {"year": 1990, "margin": 0.4, "lang": "de"}
