"""An event with a key: one transaction, at most four round trips to PostgreSQL, and the promises of a key."""

import json
import threading
from datetime import timedelta

import psycopg
import pytest
from django.db import connections
from psycopg.waiting import Wait

from accounts.tenancy import scope
from core import clock
from core.idempotency import claims
from core.idempotency.models import IdempotencyKey
from core.postgres.connection import BoundedConnection
from recommendations.interactions import triggers
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from recommendations.models import EndUser, Interaction, Item
from recommendations.privacy.erase import erase_end_user

pytestmark = pytest.mark.usefixtures("committed_db")
BODY = {"user_id": "ada", "item_id": "a", "type": "view"}


@pytest.fixture
def acme(cast, settings):
    """A tenant with more events than any first build waits for."""
    settings.BUILD_FIRST_EVENTS = 2
    known = [read_event(BODY | {"event_id": f"e{number}"}, now=clock.now()) for number in range(5)]
    record_events(tenant_id=cast.acme.tenant.pk, events=known, now=clock.now())
    record_events(tenant_id=cast.acme.tenant.pk, events=known[:1], now=clock.now())
    send(cast.acme, BODY, "warm")
    return cast.acme


def send(member, body, key=None):
    headers = {"Idempotency-Key": key} if key else {}
    return member.http.post("/api/v1/events", json.dumps(body), content_type="application/json", headers=headers)


def stored(member):
    with scope.tenant(member.tenant.pk):
        return Interaction.objects.count()


@pytest.fixture
def waits(monkeypatch):
    """Names of the exchanges with the server: each that waits for an answer is one round trip.

    Within a pipeline statements are only sent; its end waits for all their answers.
    """
    seen = []
    original = BoundedConnection.wait

    def asking(gen):
        ready, asked = None, False
        try:
            while True:
                wanted = gen.send(ready)
                if wanted & Wait.R and not asked:
                    asked = True
                    seen.append(gen.__qualname__)
                ready = yield wanted
        except StopIteration as end:
            return end.value

    def wait(self, gen, *args, **options):
        only_sent = self._pipeline is not None and "_exit_gen" not in gen.__qualname__
        return original(self, gen if only_sent else asking(gen), *args, **options)

    monkeypatch.setattr(BoundedConnection, "wait", wait)
    return seen


def test_takes_four_round_trips(acme, waits):
    answer = send(acme, BODY | {"event_id": "new"}, "k1")

    assert answer.status_code == 201
    assert 3 <= len(waits) <= 4, waits
    with scope.tenant(acme.tenant.pk):
        key = IdempotencyKey.objects.get(key="k1")
        user = EndUser.objects.get(user_id="ada")
    assert (key.state, key.status) == ("done", 201)
    assert user.dirty_at is not None


def test_means_what_the_general_way_means(acme):
    """The same event again, and a reused id, take the general way; so do unknown users and items."""
    assert send(acme, BODY | {"event_id": "x"}, "k1").status_code == 201
    assert send(acme, BODY | {"event_id": "x"}, "k2").status_code == 200
    reused = send(acme, BODY | {"event_id": "x", "type": "click"}, "k3")
    assert (reused.status_code, reused.json()["code"]) == (422, "event_id_reused")
    assert send(acme, BODY | {"user_id": "new", "item_id": "new"}, "k4").status_code == 201
    with scope.tenant(acme.tenant.pk):
        assert EndUser.objects.filter(user_id="new").exists()
        assert Item.objects.filter(item_id="new").exists()
        assert not IdempotencyKey.objects.filter(key="k3").exists()


def test_a_used_key_is_answered_before_the_body_is_judged(acme):
    first = send(acme, BODY, "k")

    assert send(acme, BODY, "k").content == first.content
    other = send(acme, {"user_id": 3}, "k")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert send(acme, {"user_id": 3}, "unused").json()["code"] == "invalid"


def test_an_erased_user_is_created_anew_and_gets_no_earlier_event(acme):
    send(acme, BODY, "k1")
    with scope.tenant(acme.tenant.pk):
        before = EndUser.objects.get(user_id="ada").pk
    erase_end_user(tenant_id=acme.tenant.pk, user_id="ada", now=clock.now())

    assert send(acme, BODY, "k1").status_code == 410
    assert send(acme, BODY, "k2").status_code == 201
    with scope.tenant(acme.tenant.pk):
        assert EndUser.objects.get(user_id="ada").pk != before
        assert Interaction.objects.count() == 1


@pytest.mark.parametrize(("seconds", "status"), [(5.0, 201), (0.1, 409)])
def test_the_same_key_at_once_waits_or_is_refused(acme, monkeypatch, seconds, status):
    """The first request is in its transaction when the second comes."""
    monkeypatch.setattr(claims, "WAIT_SECONDS", seconds)
    effected, go_on, answers = threading.Event(), threading.Event(), []
    original = triggers.enqueue_rescore

    def holds(**asked):
        if threading.current_thread().name == "first":
            effected.set()
            go_on.wait(20)
        original(**asked)

    def work():
        try:
            answers.append(send(acme, BODY, "k"))
        finally:
            connections.close_all()

    monkeypatch.setattr(triggers, "enqueue_rescore", holds)
    first = threading.Thread(target=work, name="first")
    first.start()
    assert effected.wait(20)
    second = threading.Thread(target=work, name="second")
    second.start()
    second.join(0.6)
    go_on.set()
    first.join()
    second.join()

    assert sorted(each.status_code for each in answers) == sorted([201, status])
    if status == 409:
        assert {each.json()["code"] for each in answers if each.status_code == 409} == {"idempotency_key_in_use"}
    else:
        assert len({each.content for each in answers}) == 1
    assert stored(acme) == 7


def test_a_key_of_a_request_that_failed_is_free_at_once(acme, monkeypatch):
    def fails(**_asked):
        raise psycopg.OperationalError("gone")

    monkeypatch.setattr(triggers, "enqueue_rescore", fails)
    with pytest.raises(psycopg.OperationalError):
        send(acme, BODY, "k")
    monkeypatch.undo()

    assert send(acme, BODY, "k").status_code == 201
    assert stored(acme) == 7


def test_without_a_key_nothing_is_claimed(acme):
    assert send(acme, BODY).status_code == 201
    assert send(acme, BODY | {"occurred_at": (clock.now() + timedelta(days=3)).isoformat()}).status_code == 422
    with scope.tenant(acme.tenant.pk):
        assert IdempotencyKey.objects.count() == 1
