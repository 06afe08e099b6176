"""Idempotent write views over HTTP: one effect for each key, whatever is sent how often, and the same bytes back."""

import pytest
from django.db import transaction

from accounts.tenancy import scope
from core.idempotency import cleanup
from core.idempotency.metrics import MISMATCHES
from core.idempotency.models import MAX_BODY, IdempotencyKey
from tests.core.idempotency import views
from tests.core.idempotency.conftest import ACME, GLOBEX, client, post

pytestmark = pytest.mark.urls("tests.core.idempotency.views")


KEPT_HEADERS = ("Content-Type", "ETag", "Location")


def value(counter):
    (sample,) = [each for metric in counter.collect() for each in metric.samples if each.name.endswith("_total")]
    return sample.value


class TestReplay:
    def test_the_stored_answer_comes_back_to_the_byte(self, effects):
        first, again = post(client()), post(client())

        assert (first.status_code, again.status_code) == (201, 201)
        assert again.content == first.content
        assert first.content == '{"number":1,"é":1.5}'.encode()
        assert [again[name] for name in KEPT_HEADERS] == [first[name] for name in KEPT_HEADERS]
        assert "Idempotent-Replayed" not in first
        assert again["Idempotent-Replayed"] == "true"
        assert "X-Number" not in again
        assert again["X-Request-ID"] != first["X-Request-ID"]
        assert effects() == 1

    def test_an_answer_without_a_body(self, effects):
        headers = {"Idempotency-Key": "k"}
        first, again = client().delete("/effects", headers=headers), client().delete("/effects", headers=headers)

        assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (204, b"", "true")
        assert ("Content-Type" in again) == ("Content-Type" in first)
        assert effects() == 1

    def test_a_quoted_key_is_the_same_key(self, effects):
        post(client(), key="k")

        assert post(client(), key='"k"')["Idempotent-Replayed"] == "true"

    def test_without_a_key_each_request_takes_effect(self, effects):
        assert [post(client(), key=None).status_code for _ in range(2)] == [201, 201]
        assert effects() == 2
        with scope.all_tenants("test"):
            assert IdempotencyKey.objects.count() == 0

    @pytest.mark.parametrize("other", [(GLOBEX, "shop"), (ACME, "till")])
    def test_tenants_and_clients_are_independent(self, effects, other):
        post(client())

        assert "Idempotent-Replayed" not in post(client(*other))
        assert effects(ACME) + effects(GLOBEX) == 2

    def test_an_expired_key_is_a_new_request(self, effects):
        post(client())
        with scope.tenant(ACME):
            IdempotencyKey.objects.update(expires_at="2026-01-01T00:00:00Z")

        assert "Idempotent-Replayed" not in post(client(), note="another")
        assert effects() == 2

    def test_an_erased_answer_is_gone_and_the_write_not_repeated(self, effects):
        post(client())
        with scope.tenant(ACME):
            assert cleanup.erase(IdempotencyKey.objects.filter(tenant_id=ACME)) == 1

        again = post(client())

        assert (again.status_code, again.json()["code"]) == (410, "idempotent_answer_erased")
        assert effects() == 1

    def test_a_digest_may_stand_for_the_body(self, effects):
        post(client(), "/stream", note="one")

        assert post(client(), "/stream", note="two")["Idempotent-Replayed"] == "true"


class TestRefusals:
    def test_another_body_query_or_method_is_a_mismatch(self, effects):
        before = value(MISMATCHES)
        post(client())

        answers = [
            post(client(), note="other"),
            post(client(), "/effects?a=1"),
            client().delete("/effects", headers={"Idempotency-Key": "k"}),
        ]

        assert [(each.status_code, each.json()["code"]) for each in answers] == [(422, "idempotency_key_reused")] * 3
        assert answers[0]["Content-Type"] == "application/problem+json"
        assert (effects(), value(MISMATCHES) - before) == (1, 3)

    @pytest.mark.parametrize("key", ["", " ", "x" * 256, '"open', "clé"])
    def test_a_bad_key_is_refused(self, effects, key):
        answer = post(client(), key=key)

        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")
        assert effects() == 0

    def test_a_refused_request_gives_the_key_back(self, effects):
        refused = client().post("/effects", {}, format="json", headers={"Idempotency-Key": "k"})
        assert refused.status_code == 422

        assert post(client()).status_code == 201
        assert effects() == 1

    def test_a_refusal_after_the_effect_takes_it_back(self, effects):
        for key in ({"Idempotency-Key": "k"}, {}):
            assert client().delete("/effects?missing", headers=key).status_code == 404
            assert effects() == 0
        with scope.all_tenants("test"):
            assert IdempotencyKey.objects.count() == 0

    @pytest.mark.parametrize("stage", ["claimed", "effected", "answered"])
    def test_an_error_before_the_commit_can_be_retried_at_once(self, effects, monkeypatch, stage):
        with monkeypatch.context() as patch:
            patch.setattr(views, "at_stage", _fail_at(stage))
            with pytest.raises(ZeroDivisionError):
                post(client())
        assert effects() == 0

        assert "Idempotent-Replayed" not in post(client())
        assert effects() == 1

    def test_an_error_after_the_commit_is_answered_with_the_stored_answer(self, effects, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setattr(views, "at_stage", _fail_at("committed"))
            with pytest.raises(ZeroDivisionError):
                post(client())

        assert post(client())["Idempotent-Replayed"] == "true"
        assert effects() == 1

    @pytest.mark.parametrize("key", ["k", None])
    @pytest.mark.parametrize(
        "wrong",
        [
            "no effect",
            "no answer",
            "answer outside",
            "refusal answered",
            "two effects",
            "two answers",
            "another response",
        ],
    )
    def test_a_view_that_is_written_wrongly_is_loud(self, effects, wrong, key):
        with pytest.raises(RuntimeError):
            post(client(), "/wrong", key=key, wrong=wrong)

        assert effects() == 0


def _fail_at(wanted):
    def at(stage):
        if stage == wanted:
            raise ZeroDivisionError

    return at


class TestLargeAnswers:
    def test_up_to_64_kib_the_whole_answer_is_kept(self, effects):
        size = MAX_BODY - len('{"ids":[1],"padding":""}')
        first, again = (post(client(), "/large", size=size) for _ in range(2))

        assert len(first.content) == MAX_BODY
        assert again.content == first.content
        assert (again["ETag"], "Idempotent-Abridged" in again) == ('"whole"', False)

    @pytest.mark.parametrize(("compact", "kept"), [("ids", {"ids": [1]}), ("same", None), ("none", None)])
    def test_above_the_summary_is_kept(self, effects, compact, kept):
        first, again = (post(client(), "/large", size=MAX_BODY, compact=compact) for _ in range(2))

        assert len(first.content) > MAX_BODY
        assert (again.status_code, again["Idempotent-Abridged"], "ETag" in again) == (200, "true", False)
        assert again.json() == kept if kept else "not stored" in again.json()["detail"]
        assert effects() == 1


class TestTransaction:
    def test_what_follows_the_commit_is_done_before_the_answer(self, effects, monkeypatch):
        told = []

        def at(stage):
            if stage == "effected":
                transaction.on_commit(lambda: told.append("on commit"))
            told.append(stage)

        monkeypatch.setattr(views, "at_stage", at)
        post(client())

        assert told == ["claimed", "effected", "answered", "on commit", "committed"]
