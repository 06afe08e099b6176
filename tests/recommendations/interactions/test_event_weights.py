"""Weights of events: by default, as a tenant decides, and as they fade."""

from datetime import UTC, datetime

import numpy as np
import pytest

from accounts.tenancy import scope
from recommendations.interactions import event_weights, training_window, user_histories
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from recommendations.models import EndUser, EventType

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = 86_400
# Times of the rows are seconds from here.
BEGIN = 10**9


def _record(tenant_id, *rows):
    events = [
        read_event({"user_id": "u", "item_id": item, "type": kind, "value": value, "occurred_at": BEGIN + at}, now=NOW)
        for item, kind, value, at in rows
    ]
    record_events(tenant_id=tenant_id, events=events, now=NOW)


@pytest.fixture
def acme(cast):
    _record(
        cast.acme.tenant.pk,
        ("seen", "view", None, 10 * DAY),
        ("bought", "purchase", None, 10 * DAY),
        ("bad", "dislike", None, 10 * DAY),
        ("shown", "impression", None, 10 * DAY),
        ("low", "rating", 1.5, 10 * DAY),
        ("high", "rating", 4.5, 10 * DAY),
        ("odd", "gift_wrapped", None, 10 * DAY),
    )
    return cast.acme.tenant.pk


def _history(tenant_id):
    pks = list(EndUser.objects.filter(tenant_id=tenant_id).values_list("pk", flat=True))
    (history,) = user_histories.load_histories(tenant_id=tenant_id, user_pks=pks).values()
    return dict(zip(history.item_ids, history.weights, strict=True))


def _set(tenant_id, name, **fields):
    with scope.tenant(tenant_id):
        EventType.objects.filter(tenant_id=tenant_id, name=name).update(**fields)


class TestMeaning:
    def test_has_a_default_for_the_usual_names(self, acme):
        with scope.tenant(acme):
            assert _history(acme) == {"seen": 1, "bought": 3, "bad": -2, "low": 1, "high": 1, "odd": 1}

    def test_names_without_one_are_unmapped_until_staff_say_what_they_mean(self, acme):
        assert event_weights.load_event_weights(tenant_id=acme).without_weight == ["gift_wrapped"]
        with scope.tenant(acme):
            counts = event_weights.count_events_without_weight(tenant_id=acme, names=["gift_wrapped"])
        assert counts == {"gift_wrapped": 1}

        _set(acme, "gift_wrapped", weight=5)

        assert event_weights.load_event_weights(tenant_id=acme).without_weight == []
        with scope.tenant(acme):
            assert _history(acme)["odd"] == 5

    def test_low_values_speak_against_where_the_tenant_says_so(self, acme):
        _set(acme, "rating", negative_below=3.0)

        with scope.tenant(acme):
            assert (_history(acme)["low"], _history(acme)["high"]) == (-1, 1)
        assert "low" not in training_window.read_window(tenant_id=acme).item_ids
        assert "high" in training_window.read_window(tenant_id=acme).item_ids

    def test_events_fade_with_the_half_life_of_their_type(self, acme):
        _record(acme, ("newer", "view", None, 14 * DAY))
        _set(acme, "view", half_life_days=2)

        with scope.tenant(acme):
            assert (_history(acme)["seen"], _history(acme)["newer"]) == (0.25, 1)

    def test_the_training_learns_from_positives_with_their_strengths(self, acme):
        window = training_window.read_window(tenant_id=acme).interactions()

        assert window.item_ids == ("bought", "high", "low", "odd", "seen")
        assert window.strengths is not None
        said = dict(zip(window.item_ids, window.strengths[np.argsort(window.items)].tolist(), strict=True))
        assert said["bought"] == pytest.approx(3 * said["seen"])

    def test_is_said_in_one_sentence(self, acme):
        assert event_weights.load_event_weights(tenant_id=acme).described() == (
            "purchase 3, gift_wrapped 1, rating 1, view 1; against: dislike; ignored: impression"
        )

    def test_the_defaults_agree_with_what_is_never_learnt_from(self):
        assert {name for name, said in event_weights.DEFAULTS.items() if said <= 0} == set(event_weights.NEVER_POSITIVE)
