"""Erasing a person: what is stored of answers about them, and while writes about them arrive."""

import threading
import time
from datetime import UTC, datetime

import pytest
from django.db import connection

from accounts.tenancy import scope
from core.errors import NotFound
from core.idempotency import claims
from core.idempotency.models import IdempotencyKey
from recommendations.ai.gateway import response_cache
from recommendations.ai.models import AIAnswer
from recommendations.ai.reranking.rerank import subject_digest
from recommendations.catalog import end_users
from recommendations.catalog.models import EndUser
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from recommendations.interactions.models import Interaction
from recommendations.privacy.erase import erase_end_user

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class TestRace:
    def test_no_event_is_left_without_its_person(self, cast, committed_db):
        acme = cast.acme.tenant.pk
        errors = []

        def send():
            try:
                for number in range(40):
                    event = read_event({"user_id": "u", "item_id": "i", "type": "view", "value": number}, now=NOW)
                    record_events(tenant_id=acme, events=[event], now=NOW)
            except Exception as error:  # noqa: BLE001  # shown below
                errors.append(error)
            finally:
                connection.close()

        sender = threading.Thread(target=send)
        sender.start()
        erased = 0
        while sender.is_alive():
            try:
                erase_end_user(tenant_id=acme, user_id="u", now=NOW)
                erased += 1
            except NotFound:
                pass
        sender.join()

        assert errors == []
        assert erased > 0
        with scope.tenant(acme):
            people = set(EndUser.objects.values_list("pk", flat=True))
            assert set(Interaction.objects.values_list("end_user_id", flat=True)) <= people

    def test_an_answer_that_is_stored_meanwhile_is_emptied(self, cast, committed_db):
        acme = cast.acme.tenant.pk
        fresh = claims.claim(
            scope=lambda: scope.tenant(acme), tenant_id=acme, client_id="c", key="k", fingerprint=b"f", now=NOW
        )
        assert isinstance(fresh, claims.Claimed)
        eraser = threading.Thread(target=_erase, args=[acme, "u"])
        row = {"user_id": "u", "attributes": {}, "segments": [], "locale": "de"}
        with scope.tenant(acme):
            end_users.put_end_user(tenant_id=acme, end_user=row, now=NOW)
        with scope.tenant(acme):
            end_users.put_end_user(tenant_id=acme, end_user={**row, "locale": "fr"}, now=NOW)
            eraser.start()
            _wait_for_a_lock()
            claims.complete(fresh.claim, answer=claims.StoredAnswer(200, {}, b'{"user_id":"u","locale":"fr"}'))
        eraser.join()

        with scope.tenant(acme):
            assert EndUser.objects.count() == 0
            assert [(held.state, held.body) for held in IdempotencyKey.objects.all()] == [("erased", None)]


class TestStoredAnswers:
    """Answers stored under an Idempotency-Key name users for a day."""

    WRITES = (
        ("put", "/api/v1/users/ada", {"locale": "de"}),
        ("patch", "/api/v1/users/ada", {"locale": "fr"}),
        ("post", "/api/v1/users/batch", {"users": [{"user_id": "bob"}, {"user_id": "ada"}]}),
        ("post", "/api/v1/events", {"user_id": "ada", "item_id": "i", "type": "view"}),
    )

    @pytest.mark.parametrize(("method", "path", "body"), WRITES)
    def test_are_emptied_and_not_run_again(self, cast, method, path, body):
        send, headers = getattr(cast.acme.http, method), {"Idempotency-Key": "k"}
        cast.acme.http.put("/api/v1/users/ada", {}, format="json")
        assert send(path, body, format="json", headers=headers).status_code < 300

        receipt = cast.acme.http.delete("/api/v1/users/ada")
        late = send(path, body, format="json", headers=headers)

        assert receipt.json()["rows"]["stored_answers"] == 1
        assert (late.status_code, late.json()["code"]) == (410, "idempotent_answer_erased")
        assert cast.acme.http.get("/api/v1/users/ada").status_code == 404

    def test_of_others_stay(self, cast):
        for http, user_id in ((cast.acme.http, "adam"), (cast.globex.http, "ada")):
            http.put(f"/api/v1/users/{user_id}", {}, format="json", headers={"Idempotency-Key": "k"})
        cast.acme.http.put("/api/v1/users/ada", {}, format="json")

        receipt = cast.acme.http.delete("/api/v1/users/ada")

        assert receipt.json()["rows"]["stored_answers"] == 0
        for http, user_id in ((cast.acme.http, "adam"), (cast.globex.http, "ada")):
            again = http.put(f"/api/v1/users/{user_id}", {}, format="json", headers={"Idempotency-Key": "k"})
            assert (again.status_code, again["Idempotent-Replayed"]) == (201, "true")

    def test_a_receipt_does_not_name_the_person(self, cast):
        cast.acme.http.put("/api/v1/users/ada-lovelace", {}, format="json", headers={"Idempotency-Key": "put"})
        cast.acme.http.delete("/api/v1/users/ada-lovelace", headers={"Idempotency-Key": "erase"})

        with scope.tenant(cast.acme.tenant.pk):
            held = IdempotencyKey.objects.order_by("key").values_list("key", "state", "headers", "body")
            assert [row[:2] for row in held] == [("erase", "done"), ("put", "erased")]
            assert not [row for row in held if "ada-lovelace" in str(row[2]) or b"ada-lovelace" in bytes(row[3] or b"")]


class TestAIAnswers:
    def test_about_the_person_are_deleted(self, cast):
        acme = cast.acme.tenant.pk
        people = [cast.acme.http.put(f"/api/v1/users/{name}", {}, format="json") for name in ("ada", "bob")]
        assert [answer.status_code for answer in people] == [201, 201]
        with scope.tenant(acme):
            for user in EndUser.objects.all():
                subject = subject_digest(response_cache.user_key(tenant_id=acme, user_pk=user.pk))
                AIAnswer.objects.create(
                    tenant_id=acme, digest=subject, subject=subject, model="m", content={}, created_at=NOW
                )

        receipt = cast.acme.http.delete("/api/v1/users/ada").json()

        assert receipt["rows"]["ai_answers"] == 1
        with scope.tenant(acme):
            assert AIAnswer.objects.count() == 1


def _erase(tenant_id, user_id):
    try:
        erase_end_user(tenant_id=tenant_id, user_id=user_id, now=NOW)
    finally:
        connection.close()


def _wait_for_a_lock():
    """Until another connection to this database waits for a row."""
    deadline = time.monotonic() + 10
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # else one transaction sees the same for ever
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")
