"""Interactions that algorithms are given: positives only, of present items, in order."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from accounts.tenancy import scope
from recommendations.catalog import items
from recommendations.catalog.models import EndUser
from recommendations.catalog.schemas import read_item
from recommendations.interactions import binary_copy, id_resolution, training_window, user_histories
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


# Times of the rows are seconds from here.
BEGIN = 1_000_000_000


def _record(tenant_id, rows, now=NOW):
    events = [
        read_event({"user_id": user, "item_id": item, "type": kind, "occurred_at": BEGIN + at}, now=now)
        for user, item, kind, at in rows
    ]
    record_events(tenant_id=tenant_id, events=events, now=now)


def _times(*seconds):
    return [float(BEGIN + at) for at in seconds]


@pytest.fixture
def acme(cast):
    tenant_id = cast.acme.tenant.pk
    _record(
        tenant_id,
        [
            ("u1", "b", "view", 20.25),
            ("u1", "a", "rating", 10),
            ("u2", "a", "view", 30),
            ("u2", "a", "cart", 40),
            ("u2", "seen", "impression", 41),
            ("u2", "bad", "dislike", 42),
            ("u2", "deleted", "view", 43),
            ("u2", "hidden", "view", 44),
            ("u3", "bad", "dislike", 50),
        ],
    )
    items.upsert_items(tenant_id=tenant_id, items=[read_item({"item_id": "hidden", "hidden": True})], now=NOW)
    items.delete_item(tenant_id=tenant_id, item_id="deleted", now=NOW)
    _record(cast.globex.tenant.pk, [("theirs", "theirs", "view", 1)])
    return tenant_id


def _rows(window):
    names = zip(window.users.tolist(), window.items.tolist(), window.times.tolist(), strict=True)
    return [(window.user_ids[user], window.item_ids[item], at - BEGIN) for user, item, at in names]


class TestWindow:
    def test_holds_the_positives_of_present_items_in_order_of_arrival(self, acme):
        assert _rows(training_window.read_window(tenant_id=acme)) == [
            ("u1", "b", 20.25),
            ("u1", "a", 10.0),
            ("u2", "a", 30.0),
            ("u2", "a", 40.0),
            ("u2", "hidden", 44.0),
        ]

    def test_training_keeps_the_latest_row_of_a_pair(self, acme):
        window = training_window.read_window(tenant_id=acme).interactions()

        assert (window.user_ids, window.item_ids) == (("u1", "u2"), ("a", "b", "hidden"))
        assert window.times is not None
        assert (window.times - BEGIN).tolist() == [10.0, 20.25, 40.0, 44.0]

    @pytest.mark.parametrize(
        ("most", "kept", "each"),
        [(4, [20.25, 10.0, 40.0, 44.0], 2), (3, [20.25, 44.0], 1), (2, [20.25, 44.0], 1), (1, [44.0], 1)],
    )
    def test_is_bounded_by_the_newest_rows_of_each_person(self, acme, most, kept, each):
        window = training_window.read_window(tenant_id=acme, max_rows=most)

        assert [at for _, _, at in _rows(window)] == kept
        assert window.limit == training_window.WindowLimit(kept=len(kept), total=5, per_user=each)
        assert f"the newest {each} of each user" in str(window.limit)

    def test_says_nothing_of_a_bound_that_was_not_met(self, acme):
        assert training_window.read_window(tenant_id=acme, max_rows=5).limit is None

    def test_leaves_out_what_arrived_later(self, acme):
        _record(acme, [("u1", "late", "view", 5)], now=NOW + timedelta(hours=1))

        assert "late" not in training_window.read_window(tenant_id=acme, until=NOW).item_ids
        assert "late" in training_window.read_window(tenant_id=acme).item_ids

    def test_of_a_tenant_without_events_is_empty(self, cast):
        window = training_window.read_window(tenant_id=cast.acme.tenant.pk).interactions()

        assert (window.row_count, window.user_ids, window.item_ids) == (0, (), ())

    def test_many_blocks_come_out_whole(self, acme, monkeypatch):
        monkeypatch.setattr(binary_copy, "_ROWS_PER_BLOCK", 7)
        monkeypatch.setattr(id_resolution, "_IDS_PER_QUERY", 11)
        rows = [(f"u{number % 13}", f"i{number % 31}", "view", 1000 + number) for number in range(400)]
        _record(acme, rows)

        window = training_window.read_window(tenant_id=acme)

        assert _rows(window)[5:] == [(user, item, float(at)) for user, item, _, at in rows]
        assert window.times.dtype == np.float64


class TestHistories:
    def test_give_each_person_what_says_something_oldest_first(self, acme):
        histories = user_histories.load_histories(tenant_id=acme, user_pks=_people(acme).values())

        assert {name: histories.get(pk) for name, pk in _people(acme).items()} == {
            "u1": user_histories.UserHistory(["a", "b"], _times(10, 20.25), [1.0, 1.0]),
            "u2": user_histories.UserHistory(
                ["a", "a", "bad", "hidden"], _times(30, 40, 42, 44), [1.0, 2.0, -2.0, 1.0]
            ),
            "u3": user_histories.UserHistory(["bad"], _times(50), [-2.0]),
        }

    def test_break_ties_by_arrival(self, acme):
        _record(acme, [("tied", item, "view", 7) for item in "cab"])

        (history,) = user_histories.load_histories(tenant_id=acme, user_pks=[_people(acme)["tied"]]).values()

        assert history.item_ids == ["c", "a", "b"]

    def test_are_bounded_by_the_newest_rows(self, acme):
        pk = _people(acme)["u1"]

        assert user_histories.load_histories(tenant_id=acme, user_pks=[pk], per_user=1)[pk].item_ids == ["b"]

    def test_of_strangers_are_empty(self, cast, acme):
        assert user_histories.load_histories(tenant_id=cast.globex.tenant.pk, user_pks=_people(acme).values()) == {}


def _people(tenant_id):
    with scope.tenant(tenant_id):
        return dict(EndUser.objects.values_list("user_id", "pk"))
