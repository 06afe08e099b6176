"""Items rated low, and the users who rated them so."""

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.catalog.models import EndUser
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from recommendations.interactions.low_ratings import rated_below_mean


def send(tenant, *rows):
    now = clock.now()
    events = [
        read_event(
            {"user_id": user, "item_id": item, "type": kind, **({} if value is None else {"value": value})}, now=now
        )
        for user, item, kind, value in rows
    ]
    record_events(tenant_id=tenant.pk, events=events, now=now)


@pytest.fixture
def pks(cast):
    send(
        cast.acme.tenant,
        ("ann", "good", "rating", 5),
        ("ann", "fair", "rating", 4),
        ("ann", "poor", "rating", 1),
        ("ann", "seen", "view", None),
        ("ann", "counted", "view", 1),
        ("bob", "alike", "rating", 3),
        ("bob", "alike-too", "rating", 3),
    )
    with scope.tenant(cast.acme.tenant.pk):
        return dict(EndUser.objects.values_list("user_id", "pk"))


class TestLukewarm:
    def test_is_what_somebody_rated_below_their_own_mean(self, cast, pks):
        assert rated_below_mean(tenant_id=cast.acme.tenant.pk, user_pks=[pks["ann"]]) == {pks["ann"]: {"poor"}}

    def test_is_nothing_for_those_who_rate_all_alike(self, cast, pks):
        assert rated_below_mean(tenant_id=cast.acme.tenant.pk, user_pks=[pks["bob"]]) == {}

    def test_another_tenants_ratings_are_not_seen(self, cast, pks):
        assert rated_below_mean(tenant_id=cast.globex.tenant.pk, user_pks=list(pks.values())) == {}
