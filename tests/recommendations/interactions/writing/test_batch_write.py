"""Batches of events in the quick way answer and store what the general way does."""

from datetime import timedelta

import pytest

from accounts.models import Tenant
from accounts.tenancy import scope, tenant_cache
from core import clock
from recommendations.interactions.writing import plain_bodies
from recommendations.interactions.writing.batch_write import BatchWrite
from recommendations.models import EndUser, Feedback, Interaction
from recommendations.privacy.merge import merge_end_users

AT = "2026-11-01T08:30:00Z"


def event(**more):
    return {"user_id": "ada", "item_id": "a", "type": "view", "occurred_at": AT} | more


FULL = event(event_id="full", value=2.5, recommendation_id="r1", context={"device": 'a "tv" \\ 1', "n": 1})
BATCHES = {
    "unknown names": [event(), event(user_id="bob", item_id="Ü b"), event(type="click"), FULL],
    "known names": [event(value=1), event(user_id="bob", value=2), event(event_id="e1"), event(event_id="e2")],
    "stored events": [event(value=1), event(event_id="e1"), event(event_id="e9"), FULL],
    "reused ids": [event(event_id="e1", item_id="b"), FULL | {"context": {"device": "pc"}}, event(event_id="e10")],
    "equal events": [event(event_id="e3"), event(event_id="e3"), event(value=7), event(value=7)],
    "former ids": [event(event_id="of-eve"), event(event_id="e4"), event(user_id="eve", event_id="of-eve")],
    "names that are not created": [event(user_id="nobody"), event(item_id="nothing"), event(event_id="e5")],
}


def prepared(member, name):
    """Prepares a batch."""
    tenant_id = member.tenant.pk
    if name == "former ids":
        member.http.post("/api/v1/events", event(user_id="eve", event_id="of-eve"), format="json")
        merge_end_users(tenant_id=tenant_id, user_id="ada", source_id="eve", now=clock.now())
    if name == "names that are not created":
        with scope.all_tenants("test"):
            Tenant.objects.filter(pk=tenant_id).update(create_unknown=False)
        tenant_cache.load()


def stored(member):
    with scope.tenant(member.tenant.pk):
        rows = Interaction.objects.order_by("id").values_list(
            *("end_user__user_id", "item__item_id", "type__name", "value", "occurred_at", "event_id", "digest"),
            *("recommendation_id", "context"),
        )
        waiting = EndUser.objects.filter(dirty_at__isnull=False, last_event_at__isnull=False)
        return list(rows), set(waiting.values_list("user_id", flat=True)), Feedback.objects.count()


@pytest.mark.usefixtures("committed_db")
def test_both_ways_answer_and_store_the_same(cast, monkeypatch):
    quick, original = [], BatchWrite._insert

    def counted(*given):
        quick.append(given)
        return original(*given)

    monkeypatch.setattr(BatchWrite, "_insert", counted)
    failures = []
    for name, rows in BATCHES.items():
        answers = []
        for member, read in ((cast.acme, plain_bodies.read_many), (cast.globex, lambda *_, **__: None)):
            prepared(member, name)
            with monkeypatch.context() as patch:
                patch.setattr(plain_bodies, "read_many", read)
                answers.append(member.http.post("/api/v1/events/batch", {"events": rows}, format="json"))
        shown = [(answer.status_code, answer["Content-Type"], answer.content) for answer in answers]
        if shown[0] != shown[1] or stored(cast.acme) != stored(cast.globex):
            failures.append((name, answers[0].json(), answers[1].json()))

    assert not failures
    assert len(quick) == 4


@pytest.mark.usefixtures("committed_db")
def test_an_event_that_was_stored_meanwhile_is_a_duplicate_or_a_reused_id(cast, monkeypatch):
    """As by an import, which locks no users."""
    tenant_id, http = cast.acme.tenant.pk, cast.acme.http
    http.post("/api/v1/events/batch", {"events": [event(event_id="e1"), event(event_id="e2")]}, format="json")
    monkeypatch.setattr(BatchWrite, "_older", property(lambda _: {"tenant": tenant_id, "older": "{}"}))

    rows = [event(event_id="e1"), event(event_id="e2", type="click"), event(event_id="e3")]
    answer = http.post("/api/v1/events/batch", {"events": rows}, format="json").json()

    assert [row["status"] for row in answer["results"]] == ["duplicate", "rejected", "created"]
    assert answer["results"][1]["errors"][0]["pointer"] == "/events/1/event_id"
    late = (clock.now() + timedelta(days=3)).isoformat()
    refused = http.post("/api/v1/events/batch", {"events": [event(occurred_at=late)]}, format="json").json()
    assert refused["results"][0]["errors"][0]["code"] == "in_future"
