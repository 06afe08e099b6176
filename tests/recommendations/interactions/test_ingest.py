"""Recording events: once each, whoever sends them how often, and what they set off."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts.models import Tenant
from accounts.tenancy import scope, tenant_cache
from core import redis
from recommendations.catalog import items
from recommendations.catalog.models import EndUser, Item
from recommendations.catalog.schemas import read_item
from recommendations.interactions import event_weights, task_names, triggers
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from recommendations.interactions.models import EventType, Interaction
from tests.recommendations.pipeline.queue import sent
from workers.queues import NEARLINE, QUICK

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _event(user="u", item="i", kind="view", **more):
    return read_event({"user_id": user, "item_id": item, "type": kind, **more}, now=NOW)


def _statuses(outcomes):
    return [outcome.status for outcome in outcomes]


def _tasks(queue):
    return list(redis.client().lrange(queue, 0, -1))


@pytest.fixture
def acme(cast):
    return cast.acme.tenant.pk


def _record(tenant_id, events, now=NOW):
    return record_events(tenant_id=tenant_id, events=events, now=now)


class TestRecord:
    def test_creates_stubs_for_the_unknown(self, acme):
        assert _statuses(_record(acme, [_event()])) == ["created"]

        with scope.tenant(acme):
            assert EndUser.objects.get().user_id == "u"
            assert Item.objects.get().item_id == "i"
            row = Interaction.objects.select_related("end_user", "item", "type").get()
        assert (row.end_user.user_id, row.item.item_id, row.type.name) == ("u", "i", "view")
        assert (row.occurred_at, row.received_at) == (NOW, NOW)

    def test_ignores_a_repeated_event(self, acme):
        _record(acme, [_event(event_id="e")])

        outcomes = _record(acme, [_event(event_id="e"), _event(event_id="f"), _event(event_id="f")])

        assert [(outcome.status, outcome.id) for outcome in outcomes] == [
            ("duplicate", "e"),
            ("created", "f"),
            ("duplicate", "f"),
        ]

    def test_numbers_events_in_the_order_in_which_they_came(self, acme):
        _record(acme, [_event(item=f"i{number}") for number in range(50)])

        with scope.tenant(acme):
            ordered = Interaction.objects.order_by("id").values_list("item__item_id", flat=True)
            assert list(ordered) == [f"i{number}" for number in range(50)]

    def test_stores_more_than_a_thousand_through_copy(self, acme):
        events = [_event(user=f"u{number % 7}", item=f"i{number}", context={"n": number}) for number in range(1500)]

        assert _statuses(_record(acme, [*events, events[3]])) == ["created"] * 1500 + ["duplicate"]

        with scope.tenant(acme):
            rows = list(Interaction.objects.order_by("id").values_list("item__item_id", "context"))
        assert rows == [(f"i{number}", {"n": number}) for number in range(1500)]
        assert set(_statuses(_record(acme, events))) == {"duplicate"}

    def test_rejects_the_unknown_where_the_tenant_wants_that(self, acme):
        _record(acme, [_event()])
        with scope.all_tenants("test"):
            Tenant.objects.filter(pk=acme).update(create_unknown=False)
        tenant_cache.load()

        outcomes = _record(acme, [_event(user="x"), _event(item="y"), _event(kind="like")])

        assert _statuses(outcomes) == ["rejected", "rejected", "created"]
        assert [(error.pointer, error.code) for error in outcomes[0].errors] == [("/user_id", "unknown_user")]
        assert [(error.pointer, error.code) for error in outcomes[1].errors] == [("/item_id", "unknown_item")]

    def test_does_not_revive_a_deleted_item(self, acme):
        items.upsert_items(tenant_id=acme, items=[read_item({"item_id": "i"})], now=NOW)
        items.delete_item(tenant_id=acme, item_id="i", now=NOW)

        assert _statuses(_record(acme, [_event()])) == ["created"]

        with scope.tenant(acme):
            assert Item.objects.get().deleted_at == NOW

    def test_bounds_the_types_of_a_tenant(self, acme):
        with scope.tenant(acme):
            EventType.objects.bulk_create(
                EventType(tenant_id=acme, name=f"t{number}") for number in range(event_weights.MAX_TYPES)
            )

        outcomes = _record(acme, [_event(kind="t7"), _event(kind="another")])

        assert _statuses(outcomes) == ["created", "rejected"]
        assert outcomes[1].errors[0].code == "too_many_types"

    def test_tenants_do_not_share_events_nor_types(self, cast):
        for member in (cast.acme, cast.globex):
            assert _statuses(_record(member.tenant.pk, [_event(event_id="same")])) == ["created"]

    def test_a_lone_event_takes_few_statements(self, acme, django_assert_max_num_queries):
        _record(acme, [_event()])

        with django_assert_max_num_queries(12):
            _record(acme, [_event(kind="view", occurred_at=964982703)])


class TestAftermath:
    def test_marks_people_with_new_events_only(self, acme):
        _record(acme, [_event(user="old", event_id="e")])
        later = NOW + timedelta(minutes=5)

        _record(acme, [_event(user="old", event_id="e"), _event(user="new")], now=later)

        with scope.tenant(acme):
            marks = dict(EndUser.objects.values_list("user_id", "last_event_at"))
        assert marks == {"old": NOW, "new": later}

    def test_keeps_the_first_mark_and_the_newest_event(self, acme):
        _record(acme, [_event()])
        later = NOW + timedelta(minutes=5)

        _record(acme, [_event(kind="like")], now=later)

        with scope.tenant(acme):
            person = EndUser.objects.get()
        assert (person.dirty_at, person.last_event_at) == (NOW, later)

    def test_asks_for_one_rescore_per_person_and_wait(self, acme, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            _record(acme, [_event(), _event(kind="like"), _event(user="v")])
            _record(acme, [_event(kind="cart")])

        queued = _tasks(NEARLINE)
        assert len(queued) == 1  # for both
        assert task_names.RESCORE.encode() in queued[0]

    def test_people_within_a_part_of_the_wait_share_a_message(self, acme, django_capture_on_commit_callbacks):
        asked = []
        for moment in [100.0, 100.1, 100.25, 100.3, 100.5]:
            with django_capture_on_commit_callbacks(execute=True):
                triggers._enqueue_rescore(acme, [1], timer=iter([moment]).__next__)
            asked.append(len(_tasks(NEARLINE)))
        assert asked == [1, 1, 2, 2, 3]

    def test_names_nobody_where_many_people_wait(self, acme, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            _record(acme, [_event(user=f"u{number}") for number in range(60)])

        queued = _tasks(NEARLINE)
        assert len(queued) == 1
        assert sent(task_names.RESCORE) == [{"tenant_id": acme, "user_pks": []}]

    @pytest.mark.parametrize(("sizes", "asked"), [([99], 0), ([99, 1], 1), ([1000], 1), ([250, 1], 1)])
    def test_asks_for_the_first_build_around_the_hundredth_event(
        self, acme, sizes, asked, settings, django_capture_on_commit_callbacks
    ):
        assert settings.BUILD_FIRST_EVENTS == 100
        with django_capture_on_commit_callbacks(execute=True):
            for turn, size in enumerate(sizes):
                _record(acme, [_event(item=f"i{number}", value=turn) for number in range(size)])

        queued = _tasks(QUICK)
        assert len(queued) == asked
        assert all(task_names.PLAN_FIRST.encode() in raw for raw in queued)


class TestRaces:
    def test_one_event_sent_by_many_at_once_is_stored_once(self, cast, committed_db):
        acme = cast.acme.tenant.pk
        events = [_event(user=f"u{number}", item=f"i{number % 5}", event_id=f"e{number}") for number in range(40)]
        told = _in_threads(
            *(lambda turn=turn: _record(acme, events[turn:] + events[:turn]) for turn in (0, 9, 18, 27)),
        )

        created = [outcome.id for outcomes in told for outcome in outcomes if outcome.status == "created"]
        assert sorted(created) == sorted(event.event_id for event in events)
        with scope.tenant(acme):
            assert Interaction.objects.count() == 40
            assert EndUser.objects.count() == 40
            assert Item.objects.count() == 5

    def test_opposite_orders_do_not_lock_each_other_out(self, cast, committed_db):
        acme = cast.acme.tenant.pk
        forward = [_event(user=f"u{n}", item=f"i{n}", value=1) for n in range(60)]
        backward = [_event(user=f"u{n}", item=f"i{n}", value=2) for n in reversed(range(60))]

        told = _in_threads(*(lambda batch=batch: _record(acme, batch) for batch in (forward, backward) * 3))

        assert sum(outcome.status == "created" for outcomes in told for outcome in outcomes) == 120


def _in_threads(*calls):
    results, errors = [], []

    def run(call):
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001  # shown below
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    return results
