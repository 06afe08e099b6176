"""Identity of events: one user's, with the same id or the same content, and separate for each sender."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.tenancy import scope
from recommendations.interactions import identity
from recommendations.interactions.event_columns import EventColumns
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.identity import Sender, digest, older_digest
from recommendations.interactions.ingest import record_events
from recommendations.interactions.models import Interaction
from recommendations.privacy.merge import merge_end_users

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BACKEND, BROWSER = Sender.BACKEND, Sender.BROWSER
ORDER = {
    "event_id": "order-7",
    "user_id": "42",
    "item_id": "film",
    "type": "purchase",
    "value": 9.5,
    "occurred_at": "2026-03-01T08:00:00Z",
    "recommendation_id": "r0f3a",
    "context": {"device": "tv", "seats": 2},
}


@pytest.fixture
def acme(cast):
    return cast.acme.tenant.pk


def _read(*, now=NOW, **changes):
    return read_event({name: value for name, value in {**ORDER, **changes}.items() if value is not ...}, now=now)


def _send(tenant_id, *events, sender=BACKEND, now=NOW):
    return [
        outcome.status if outcome.status != "rejected" else outcome.errors[0].code
        for outcome in record_events(tenant_id=tenant_id, events=events, sender=sender, now=now)
    ]


@pytest.mark.parametrize("sender", Sender)
def test_columns_have_the_digests_of_their_events(sender):
    changes: list[dict[str, Any]] = [
        {},
        {"event_id": None},
        {"context": None},
        {"occurred_at": ...},
        {"value": -0.0},
        {"value": None},
    ]
    changes += [{**each, **more} for each in changes for more in ({"event_id": None, "context": None},)]
    changes += [
        {"event_id": None, "context": None, "recommendation_id": None, "value": v} for v in (1, 1e15 + 0.5, 1e-9)
    ]
    events = [_read(**each) for each in changes]

    columns = EventColumns.of(events)

    assert identity.column_digests(columns, sender=sender) == [digest(event, sender=sender) for event in events]
    assert identity.older_column_digests(columns) == list(map(older_digest, events))
    assert list(columns.events().values()) == events
    assert columns[1:3].events() == {0: events[1], 1: events[2]}


def _stored(tenant_id):
    with scope.tenant(tenant_id):
        rows = Interaction.objects.order_by("id").values_list("end_user__user_id", "event_id", "item__item_id")
        return list(rows)


def _stored_in_the_old_way(tenant_id):
    """As if the events had been stored before ids belonged to people."""
    with scope.tenant(tenant_id):
        for row in Interaction.objects.select_related("end_user", "item", "type"):
            told = {"event_id": row.event_id, "user_id": row.end_user.user_id, "item_id": row.item.item_id}
            more = {"type": row.type.name, "value": row.value, "occurred_at": row.occurred_at.isoformat()}
            Interaction.objects.filter(pk=row.pk).update(digest=older_digest(read_event({**told, **more}, now=NOW)))


class TestAnEventWithAnId:
    def test_is_one_persons(self, acme):
        assert _send(acme, _read(), _read(user_id="43", type="view")) == ["created", "created"]
        assert [row[0] for row in _stored(acme)] == ["42", "43"]

    def test_of_a_browser_does_not_take_the_backends_id(self, acme):
        assert _send(acme, _read(type="impression", value=...), sender=BROWSER) == ["created"]
        assert _send(acme, _read()) == ["created"]
        assert _send(acme, _read()) == ["duplicate"]
        assert len(_stored(acme)) == 2

    def test_of_a_browser_is_stored_once(self, acme):
        assert _send(acme, _read(), _read(), sender=BROWSER) == ["created", "duplicate"]
        assert _send(acme, _read(), sender=BROWSER) == ["duplicate"]

    @pytest.mark.parametrize(
        "change",
        [
            {"item_id": "other"},
            {"type": "view"},
            {"value": 9.51},
            {"value": ...},
            {"occurred_at": "2026-03-01T08:00:00.000001Z"},
            {"recommendation_id": ...},
            {"context": {"device": "tv", "seats": 3}},
            {"context": {"device": "tv", "seats": "2"}},
            {"context": {"device": "tv"}},
            {"context": ...},
        ],
    )
    def test_that_says_something_else_takes_a_used_id(self, acme, change):
        _send(acme, _read())

        assert _send(acme, _read(**change)) == ["event_id_reused"]
        assert len(_stored(acme)) == 1

    def test_true_is_not_one(self, acme):
        _send(acme, _read(context={"gift": True}))

        assert _send(acme, _read(context={"gift": 1})) == ["event_id_reused"]

    @pytest.mark.parametrize(
        "change",
        [
            {"occurred_at": "2026-03-01T09:00:00+01:00"},
            {"occurred_at": 1_772_352_000},
            {"occurred_at": 1_772_352_000.0},
            {"context": {"seats": 2.0, "device": "tv"}},
            {"value": 9.50},
        ],
    )
    def test_that_says_the_same_in_other_words_is_a_duplicate(self, acme, change):
        _send(acme, _read())

        assert _send(acme, _read(**change)) == ["duplicate"]

    @pytest.mark.parametrize("number", [1, 1.0, -0.0, 0.1, 1e300, 123456789.123456, 2**53, 5e-324])
    def test_numbers_are_what_they_were_when_they_come_back_from_the_database(self, acme, number):
        event = _read(value=min(number, 2**53), context={"n": number})
        _send(acme, event)

        assert _send(acme, event) == ["duplicate"]
        again = _read(value=float(min(number, 2**53)), context={"n": float(number)})
        assert _send(acme, again) == ["duplicate"]

    def test_empty_is_the_same_as_not_given(self, acme):
        _send(acme, _read(value=..., recommendation_id=..., context=...))

        again = _read(value=None, recommendation_id="", context={})
        assert _send(acme, again) == ["duplicate"]

    def test_without_a_time_may_be_sent_again_later(self, acme):
        _send(acme, _read(occurred_at=...))

        later = NOW + timedelta(minutes=5)
        assert _send(acme, _read(occurred_at=..., now=later), now=later) == ["duplicate"]
        assert _send(acme, _read(occurred_at=NOW.isoformat(), now=later), now=later) == ["duplicate"]

    def test_on_each_line_of_an_order_is_told(self, acme):
        lines = [_read(item_id=item) for item in ("a", "b", "c")]

        outcomes = record_events(tenant_id=acme, events=lines, now=NOW)

        assert [outcome.status for outcome in outcomes] == ["created", "rejected", "rejected"]
        assert {(error.pointer, error.code) for each in outcomes[1:] for error in each.errors} == {
            ("/event_id", "event_id_reused")
        }
        assert "each line of an order" in outcomes[1].errors[0].detail
        assert _send(acme, *lines) == ["duplicate", "event_id_reused", "event_id_reused"]


class TestAnEventWithoutAnId:
    def test_is_what_it_says(self, acme):
        event = _read(event_id=...)

        assert _send(acme, event, event) == ["created", "duplicate"]
        assert _send(acme, event) == ["duplicate"]

    @pytest.mark.parametrize(
        "change", [{"context": {"device": "phone"}}, {"recommendation_id": ...}, {"user_id": "43"}, {"value": 1}]
    )
    def test_is_another_one_if_it_says_more_or_less(self, acme, change):
        _send(acme, _read(event_id=...))

        assert _send(acme, _read(event_id=..., **change)) == ["created"]

    def test_of_a_browser_is_not_the_backends(self, acme):
        event = _read(event_id=...)

        assert (_send(acme, event, sender=BROWSER), _send(acme, event)) == (["created"], ["created"])

    def test_parts_cannot_be_confused(self):
        one = _read(event_id=..., recommendation_id="r\x1f{}", context=...)
        other = _read(event_id=..., recommendation_id="r", context=...)

        assert digest(one, sender=BACKEND) != digest(other, sender=BACKEND)


class TestEventsStoredBefore:
    """Rows from before ids belonged to people keep their digests."""

    @pytest.mark.parametrize("change", [{}, {"event_id": ...}, {"event_id": ..., "context": ..., "value": ...}])
    def test_are_not_stored_twice(self, acme, change):
        _send(acme, _read(**change))
        _stored_in_the_old_way(acme)

        assert _send(acme, _read(**change)) == ["duplicate"]
        assert _send(acme, _read(**change), sender=BROWSER) == ["duplicate"]
        assert len(_stored(acme)) == 1

    def test_stand_in_nobodys_way(self, acme):
        """Whoever sent them is not known: neither another person nor other content is kept out by them."""
        _send(acme, _read(type="impression"))
        _stored_in_the_old_way(acme)

        assert _send(acme, _read(user_id="43"), _read()) == ["created", "created"]
        assert _send(acme, _read(user_id="43"), _read()) == ["duplicate", "duplicate"]

    def test_are_still_known_after_a_merge(self, acme):
        _send(acme, _read(user_id="anon"))
        _stored_in_the_old_way(acme)
        merge_end_users(tenant_id=acme, user_id="42", source_id="anon", now=NOW)

        assert _send(acme, _read(user_id="anon"), _read()) == ["duplicate", "duplicate"]


class TestAMerge:
    @pytest.mark.parametrize("sender", Sender)
    def test_leaves_events_known_under_both_ids(self, acme, sender):
        _send(acme, _read(user_id="anon"), sender=sender)
        merge_end_users(tenant_id=acme, user_id="42", source_id="anon", now=NOW)

        assert _send(acme, _read(), sender=sender) == ["duplicate"]
        assert _send(acme, _read(user_id="anon"), sender=sender) == ["duplicate"]
        assert _send(acme, _read(item_id="other"), sender=sender) == ["event_id_reused"]
        assert _stored(acme) == [("42", "order-7", "film")]

    def test_of_a_merge_leaves_them_known_under_all_ids(self, acme):
        _send(acme, _read(user_id="anon"))
        merge_end_users(tenant_id=acme, user_id="mail", source_id="anon", now=NOW)
        merge_end_users(tenant_id=acme, user_id="42", source_id="mail", now=NOW)

        assert _send(acme, *(_read(user_id=name) for name in ("42", "mail", "anon"))) == ["duplicate"] * 3

    def test_of_two_who_have_the_same_id_keeps_both_events(self, acme):
        _send(acme, _read(user_id="anon", item_id="a"), _read(item_id="b"))
        merge_end_users(tenant_id=acme, user_id="42", source_id="anon", now=NOW)

        assert _stored(acme) == [("42", "order-7", "a"), ("42", "order-7", "b")]
        assert _send(acme, _read(user_id="anon", item_id="a"), _read(item_id="b")) == ["duplicate", "duplicate"]

    def test_does_not_keep_a_new_event_of_the_old_id_away(self, acme):
        """A device counts its events from 1 again, for whoever comes next."""
        _send(acme, _read(user_id="anon", event_id="1"))
        merge_end_users(tenant_id=acme, user_id="42", source_id="anon", now=NOW)

        assert _send(acme, _read(user_id="anon", event_id="1", item_id="new")) == ["created"]
        merge_end_users(tenant_id=acme, user_id="42", source_id="anon", now=NOW + timedelta(hours=1))
        assert [row[0] for row in _stored(acme)] == ["42", "42"]

    def test_of_many_events_at_once(self, acme):
        _send(acme, *(_read(user_id="anon", event_id=f"e{number}") for number in range(300)))

        moved = merge_end_users(tenant_id=acme, user_id="42", source_id="anon", now=NOW)

        assert moved.rows["events"] == 300
        assert set(_send(acme, *(_read(event_id=f"e{number}") for number in range(300)))) == {"duplicate"}
