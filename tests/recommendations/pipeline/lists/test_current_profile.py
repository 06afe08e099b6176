"""One person read in one statement: as those are who are read many at once."""

import math
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.tenancy import scope
from recommendations.interactions import event_weights
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from recommendations.models import EndUser, Item
from recommendations.pipeline.lists import current_profile, profiles

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEGIN = 1_700_000_000.0
ROWS = [
    ("ann", "good", "rating", 5, 10.000001),
    ("ann", "poor", "rating", 1, 20),
    ("ann", "poor", "view", None, 30.5),
    ("ann", "low", "rating", 2, 30.5),
    ("ann", "bought", "purchase", 19.99, 30.5),
    ("ann", "bad", "dislike", None, 40),
    ("ann", "shown", "impression", None, 50),
    ("ann", "gone", "view", None, 60),
    ("ann", "odd", "gift_wrapped", 3, 70),
    ("ann", "good", "view", None, 15),
    ("bob", "good", "view", None, 9_000),
]


def happened(tenant, *rows):
    events = [
        read_event(
            {"user_id": user, "item_id": item, "type": kind, "value": value, "occurred_at": BEGIN + at},
            now=NOW,
        )
        for user, item, kind, value, at in rows
    ]
    record_events(tenant_id=tenant.pk, events=events, now=NOW)


@pytest.fixture
def acme(cast):
    happened(cast.acme.tenant, *ROWS)
    with scope.tenant(cast.acme.tenant.pk):
        Item.objects.filter(item_id="gone").update(deleted_at=NOW)
        EndUser.objects.filter(user_id="ann").update(locale="de", attributes={"plan": "gold"}, segments=["vip", "x"])
        EndUser.objects.create(tenant=cast.acme.tenant, user_id="new")
    return cast.acme.tenant


def now(tenant, user_id, weights=None):
    with scope.tenant(tenant.pk):
        return current_profile.read_current_user(tenant_id=tenant.pk, user_id=user_id, weights=weights)


def as_one_of_many(tenant, user_id):
    with scope.tenant(tenant.pk):
        pks = list(EndUser.objects.filter(user_id=user_id).values_list("pk", flat=True))
    (person,) = profiles.read_users(tenant_id=tenant.pk, pks=pks)
    return person


def comparable(user):
    """The profile with None for nan, which does not equal itself, and without the same events as arrays."""
    values = [(name, None if math.isnan(value) else value) for name, value in user.values]
    rated_below_mean = user.rated_below_mean & {item_id for item_id, _ in user.events}
    return {**asdict(replace(user, columns=None)), "values": values, "rated_below_mean": rated_below_mean}


@pytest.mark.parametrize("user_id", ["ann", "bob", "new"])
def test_is_as_one_of_many(acme, user_id):
    assert comparable(now(acme, user_id)) == comparable(as_one_of_many(acme, user_id))


def test_holds_what_was_chosen_and_turned_down_and_rated_low(acme):
    ann = now(acme, "ann")

    assert [item_id for item_id, _ in ann.events] == ["good", "good", "poor", "poor", "low", "bought", "odd"]
    assert ann.weights == (1, 1, 1, 1, 1, 3, 1)
    assert ann.negative_events == (("bad", BEGIN + 40, -2.0),)
    assert ann.rated_below_mean == {"poor", "low"}
    assert (ann.attributes, ann.segments, ann.locale) == ({"plan": "gold"}, ("vip", "x"), "de")


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("rating", {"negative_below": 3}),
        ("view", {"half_life_days": 0.0001}),
        ("rating", {"weight": 0}),
        ("dislike", {"weight": 2}),
    ],
)
def test_follows_what_the_tenant_says_of_types(acme, kind, changed):
    before = comparable(now(acme, "ann"))
    event_weights.change_event_type(tenant_id=acme.pk, name=kind, changed=changed)

    assert comparable(now(acme, "ann")) == comparable(as_one_of_many(acme, "ann")) != before


def test_a_type_that_appeared_since_its_meaning_was_read_counts_as_it_should(acme):
    weights = event_weights.load_event_weights(tenant_id=acme.pk)
    happened(
        acme, ("ann", "good", "like", None, 80), ("bob", "good", "cart", None, 9_001), ("bob", "x", "cart", None, 9_002)
    )

    assert comparable(now(acme, "bob", weights)) == comparable(as_one_of_many(acme, "bob"))
    assert now(acme, "bob", weights).weights == (1, 2, 2)


def test_takes_one_statement_where_the_meaning_is_known(acme):
    weights = event_weights.load_event_weights(tenant_id=acme.pk)
    with scope.tenant(acme.pk), CaptureQueriesContext(connection) as queries:
        current_profile.read_current_user(tenant_id=acme.pk, user_id="ann", weights=weights)

    assert len(queries) == 1


def test_only_so_many_of_the_newest_are_read(acme, monkeypatch):
    monkeypatch.setattr(current_profile, "_NEWEST", 2)

    assert [item_id for item_id, _ in now(acme, "ann").events] == ["odd"]  # and one of an item that is gone


def test_somebody_unknown_is_nobody(acme):
    assert now(acme, "nobody") is None


def test_another_tenant_s_people_are_not_seen(acme, cast):
    assert now(cast.globex.tenant, "ann") is None
    with scope.tenant(cast.globex.tenant.pk):
        assert current_profile.read_current_user(tenant_id=acme.pk, user_id="ann") is None
