"""Every idempotent write of the API: sent again, at once or later, it has taken effect once."""

import threading
from http import HTTPStatus

import pytest
from django.db import connection
from redis.connection import AbstractConnection
from rest_framework.test import APIClient

from accounts.tenancy import scope
from core import redis
from core.idempotency.models import IdempotencyKey
from recommendations.catalog.models import EndUser, Item
from recommendations.imports.models import Import
from recommendations.interactions.models import Interaction
from tests.journeys.idempotent_writes import API, CASES, marked, writes
from tests.size import some

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
AT_ONCE = 16
MAX_BODY = 5 * 1024 * 1024
every_write = pytest.mark.parametrize("name", some(CASES))


def prepare(case, *members):
    for member in members:
        for request in case.before:
            assert request.by(member.http).status_code < 300


def rows(member, *, when=False):
    """Rows that a write can change; with `when` also their times and numbers."""
    stamps = ("pk", "updated_at") if when else ()
    with scope.tenant(member.tenant.pk):
        return (
            sorted(Item.objects.filter(deleted_at=None).values_list("item_id", "title", "hidden", *stamps)),
            sorted(EndUser.objects.values_list("user_id", "locale", "segments", *stamps)),
            sorted(Interaction.objects.values_list("end_user__user_id", "item__item_id", "type__name", *stamps[:1])),
            sorted(Import.objects.values_list("kind", "size_bytes", *stamps[:1])),
        )


def sent_at_once(request, member, times):
    """The answers to so many of the same request, each on a thread and a connection of its own."""
    answers, ready = [], threading.Barrier(times)

    def send():
        http = APIClient()
        http.credentials(HTTP_AUTHORIZATION=f"Bearer {member.admin.token}")
        try:
            ready.wait(10)
            answers.append(request.by(http, **{"Idempotency-Key": KEY}))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


class TestDocument:
    def test_every_marked_operation_has_a_case(self):
        documented = marked()

        assert set(documented) == set(CASES)
        for name, (method, path) in documented.items():
            request = CASES[name].request
            pattern = path.removeprefix("/api/v1").replace("{item_id}", "i").replace("{user_id}", "u")
            assert (request.method, request.path.partition("?")[0]) == (method, pattern)

    def test_every_write_is_marked(self):
        assert writes() == set(CASES)


@every_write
class TestEveryWrite:
    def test_sixteen_at_once_take_effect_once(self, cast, committed_db, name):
        case = CASES[name]
        prepare(case, cast.acme, cast.globex)

        answers = sent_at_once(case.request, cast.acme, AT_ONCE)
        strangers = case.request.by(cast.globex.http, **{"Idempotency-Key": KEY})

        assert len(answers) == AT_ONCE
        served = [answer for answer in answers if answer.status_code == case.status]
        assert {answer.status_code for answer in answers if answer not in served} <= {HTTPStatus.CONFLICT}
        assert all(int(answer["Retry-After"]) >= 1 for answer in answers if answer not in served)
        assert ["Idempotent-Replayed" in answer for answer in served].count(False) == 1
        assert len({answer.content for answer in served}) == 1
        assert (strangers.status_code, "Idempotent-Replayed" in strangers) == (case.status, False)
        # The stranger sent it once: had acme's been run twice, something would differ.
        assert rows(cast.acme) == rows(cast.globex)

    def test_a_late_retry_gets_the_first_answer_and_does_nothing(self, cast, name, redis_server):
        case = CASES[name]
        prepare(case, cast.acme)
        first = case.request.by(cast.acme.http, **{"Idempotency-Key": KEY})
        done = rows(cast.acme, when=True)
        assert case.meanwhile.by(cast.acme.http).status_code < 300
        redis_server.flushdb()
        before = rows(cast.acme, when=True)
        # Else the retry could be run again, and nobody would see it.
        assert before != done

        again = case.request.by(cast.acme.http, **{"Idempotency-Key": f'"{KEY}"'})

        assert (first.status_code, "Idempotent-Replayed" in first) == (case.status, False)
        assert again["Idempotent-Replayed"] == "true"
        assert (again.status_code, again.content) == (first.status_code, first.content)
        for header in ("Content-Type", "ETag", "Location", "Cache-Control"):
            assert again.get(header) == first.get(header)
        assert rows(cast.acme, when=True) == before

    def test_another_body_with_the_key_is_refused(self, cast, name):
        case = CASES[name]
        prepare(case, cast.acme)
        case.request.by(cast.acme.http, **{"Idempotency-Key": KEY})
        before = rows(cast.acme, when=True)
        other = type(case.request)(case.request.method, case.request.path, case.other_body)

        answer = other.by(cast.acme.http, **{"Idempotency-Key": KEY})

        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert rows(cast.acme, when=True) == before


class TestRefusal:
    """A refusal did nothing: it gives the key back, and the same key may be used when the reason is gone."""

    def test_a_condition_that_does_not_hold(self, cast):
        http, headers = cast.acme.http, {"Idempotency-Key": KEY}
        case = CASES["item_put"]

        refused = case.request.by(http, **headers, **{"If-Match": '"old"'})
        served = case.request.by(http, **headers)

        assert (refused.status_code, served.status_code) == (412, 201)
        assert "Idempotent-Replayed" not in served

    def test_a_patch_that_would_end_before_it_begins(self, cast):
        http, headers = cast.acme.http, {"Idempotency-Key": KEY}
        http.put(f"{API}/items/i", {"available_from": "2030-01-01T00:00:00Z"}, format="json")
        ends = {"available_until": "2029-01-01T00:00:00Z"}

        refused = http.patch(f"{API}/items/i", ends, format="json", headers=headers)
        http.put(f"{API}/items/i", {}, format="json")
        served = http.patch(f"{API}/items/i", ends, format="json", headers=headers)

        assert (refused.status_code, served.status_code) == (422, 200)

    def test_an_erasure_that_redis_does_not_know_of(self, cast):
        http, request = cast.acme.http, CASES["user_erase"].request
        prepare(CASES["user_erase"], cast.acme)
        for _ in range(redis.breaker.threshold):
            redis.breaker.record_failure()
        refused = request.by(http, **{"Idempotency-Key": KEY})
        redis.breaker.record_success()

        served = request.by(http, **{"Idempotency-Key": KEY})

        assert (refused.status_code, served.status_code) == (503, 200)
        with scope.tenant(cast.acme.tenant.pk):
            assert EndUser.objects.count() == 0

    def test_a_body_that_is_too_large_or_no_json(self, cast):
        view, headers = f"{API}/events", {"Idempotency-Key": KEY}

        large = cast.acme.http.post(
            view, b" " * (5 * 1024 * 1024 + 1), content_type="application/json", headers=headers
        )
        broken = cast.acme.http.post(view, b"{", content_type="application/json", headers=headers)
        served = CASES["event_send"].request.by(cast.acme.http, **headers)

        assert [answer.status_code for answer in (large, broken, served)] == [413, 400, 201]


class TestOrigin:
    """A page of another origin may send the key, and read what the answer says of it."""

    ORIGIN = "https://shop.example"

    def test_may_send_and_read(self, cast, settings):
        settings.CORS_ALLOWED_ORIGINS = [self.ORIGIN]
        wanted = {"Origin": self.ORIGIN, "Access-Control-Request-Method": "POST"}

        preflight = cast.anonymous.options(
            f"{API}/events", headers={**wanted, "Access-Control-Request-Headers": "idempotency-key"}
        )
        answer = CASES["event_send"].request.by(cast.acme.http, Origin=self.ORIGIN)

        assert "idempotency-key" in preflight["Access-Control-Allow-Headers"].split(", ")
        exposed = set(answer["Access-Control-Expose-Headers"].split(", "))
        assert exposed >= {"Idempotent-Replayed", "Idempotent-Abridged"}


class TestTransaction:
    def test_nothing_goes_to_redis_while_one_is_open(self, cast, committed_db, monkeypatch):
        """A write that waits for Redis or the broker holds its locks while it does."""
        sent, plain = [], AbstractConnection.send_packed_command

        def watched(self, *args, **kwargs):
            sent.append(connection.in_atomic_block)
            return plain(self, *args, **kwargs)

        monkeypatch.setattr(AbstractConnection, "send_packed_command", watched)
        for name, case in CASES.items():
            cast.globex.http.delete(f"{API}/users/u")
            prepare(case, cast.globex)
            del sent[:]
            assert case.request.by(cast.globex.http, **{"Idempotency-Key": name}).status_code == case.status
            assert (name, any(sent)) == (name, False)
            if name in {"item_put", "item_delete", "user_erase", "event_send"}:
                assert sent, f"{name} told Redis nothing"

    def test_is_committed_when_it_is_answered(self, cast, committed_db):
        answer = CASES["event_send"].request.by(cast.acme.http, **{"Idempotency-Key": KEY})

        assert answer.status_code == 201
        assert not connection.in_atomic_block
        with scope.tenant(cast.acme.tenant.pk):
            (held,) = IdempotencyKey.objects.all()
            assert (held.state, bytes(held.body or b"")) == ("done", answer.content)
            assert Interaction.objects.count() == 1
