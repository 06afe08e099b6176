"""Export and merge of end users over HTTP."""

import json

import pytest

from accounts.tenancy import scope
from core import clock, redis
from recommendations.cache import keys
from recommendations.models import EndUser, FormerId, Interaction, UserList
from recommendations.privacy.reapply_erasures import apply_erasures
from tests.recommendations import lists
from tests.recommendations.privacy.known import ADA, answered_by_ai, introduce

URL = "/api/v1/users/"


def exported(answer):
    return json.loads(b"".join(answer.streaming_content))


class TestExport:
    def test_holds_everything(self, cast):
        lists.publish(cast.acme.tenant, people={"bob": ["a"]}, items=["a"])
        introduce(cast.acme)
        answered_by_ai(cast.acme.tenant, clock.now())
        with scope.tenant(cast.acme.tenant.pk):
            UserList.objects.update(end_user=EndUser.objects.get(user_id=ADA))

        answer = cast.acme.http.get(f"{URL}{ADA}/export")
        document = exported(answer)

        assert answer.status_code == 200
        assert answer["Cache-Control"] == "no-store"
        assert document["user"]["attributes"] == {"mail": ADA}
        assert document["user"]["last_event_at"].endswith("Z")
        assert [event["event_id"] for event in document["events"]] == [f"{ADA}/{number}" for number in (3, 2, 1, 0)]
        assert document["events"][0]["context"] == {"page": f"/of/{ADA}"}
        assert [entry["item_id"] for entry in document["lists"][0]["items"]] == ["a"]
        assert [entry["content"] for entry in document["ai_answers"]] == [{"said": f"what {ADA} likes"}]
        assert [entry["contents"] for entry in document["ai_requests"]] == [{"history": 1}]
        assert len(document["stored_answers"]) == 5
        assert document["stored_answers"][0]["body"]["user_id"] == ADA

    def test_names_nobody_else(self, cast):
        rows = [{"user_id": "ada"}, {"user_id": "bob"}]
        cast.acme.http.post("/api/v1/users/batch", {"users": rows}, format="json", headers={"Idempotency-Key": "k"})

        document = exported(cast.acme.http.get(URL + "ada/export"))

        assert "bob" not in json.dumps(document)
        assert len(document["stored_answers"]) == 1

    def test_goes_through_many_events_page_by_page(self, cast, monkeypatch):
        from recommendations.privacy import data_registry

        monkeypatch.setattr(data_registry, "PAGE", 3)
        events = [{"user_id": "ada", "item_id": f"i{number}", "type": "view"} for number in range(10)]
        cast.acme.http.post("/api/v1/events/batch", {"events": events}, format="json")

        document = exported(cast.acme.http.get(URL + "ada/export"))

        assert sorted(event["item_id"] for event in document["events"]) == [f"i{number}" for number in range(10)]

    def test_has_no_scope_open_while_it_is_sent(self, cast):
        introduce(cast.acme)

        for part in cast.acme.http.get(f"{URL}{ADA}/export").streaming_content:
            assert part
            assert not EndUser.objects.exists()

    def test_is_for_the_tenant_with_the_scope(self, cast):
        cast.acme.http.put(URL + "ada", {}, format="json")

        assert cast.globex.http.get(URL + "ada/export").status_code == 404
        assert cast.acme.http.get(URL + "nobody/export").status_code == 404
        assert cast.anonymous.get(URL + "ada/export").status_code == 401
        assert cast.acme.http.post(URL + "ada/export").status_code == 405


class TestMerge:
    def merge(self, cast, user_id="ada", body=None, **headers):
        body = {"from": "anon-1"} if body is None else body
        return cast.acme.http.post(f"{URL}{user_id}/merge", body, format="json", headers=headers)

    def test_moves_the_history_and_removes_the_other(self, cast):
        tenant = cast.acme.tenant
        lists.publish(tenant, people={"anon-1": ["a"], "ada": ["a"]}, items=["a", "b"])
        for user_id, item_id in (("anon-1", "a"), ("anon-1", "b"), ("ada", "b")):
            _send(cast.acme, user_id=user_id, item_id=item_id)
        answered_by_ai(tenant, clock.now(), "anon-1")
        with scope.tenant(tenant.pk):
            EndUser.objects.update(dirty_at=None)
        cached = keys.user_list(tenant.pk, "home", "anon-1")
        redis.client().set(cached, b"x")

        answer = self.merge(cast)

        assert answer.status_code == 200
        assert answer.json()["rows"] == {
            "lists": 1,
            "related_people": 0,
            "exposures": 0,
            "impressions": 0,
            "events": 2,
            "ai_answers": 1,
            "ai_requests": 1,
            "ai_questions": 0,
            "staff_log": 0,
        }
        with scope.tenant(tenant.pk):
            person = EndUser.objects.get()
            assert (person.user_id, person.dirty_at is not None) == ("ada", True)
            assert set(Interaction.objects.values_list("end_user_id", flat=True)) == {person.pk}
            assert UserList.objects.get().end_user == person
        assert not redis.client().exists(cached)
        assert cast.acme.http.get(URL + "anon-1").status_code == 404

    def test_creates_the_known_person_where_events_may(self, cast):
        _send(cast.acme, user_id="anon-1", item_id="a")

        assert self.merge(cast).json()["rows"]["events"] == 1
        assert cast.acme.http.get(URL + "ada").status_code == 200

    def test_is_404_for_an_unknown_person_where_events_may_not(self, cast):
        from accounts.models import Tenant
        from accounts.tenancy import tenant_cache

        cast.acme.http.put(URL + "anon-1", {}, format="json")
        with scope.all_tenants("test"):
            Tenant.objects.update(create_unknown=False)
        tenant_cache.load()

        assert self.merge(cast).status_code == 404
        assert cast.acme.http.get(URL + "anon-1").status_code == 200

    @pytest.mark.parametrize(
        ("body", "pointer", "code"),
        [
            ({}, "/from", "required"),
            ({"from": "nobody"}, "/from", "unknown_user"),
            ({"from": "ada"}, "/from", "same_user"),
            ({"from": 3}, "/from", "not_a_string"),
            ({"from": "a\tb"}, "/from", "bad_character"),
            ({"from": "b", "to": "c"}, "/to", "unknown_field"),
            ([], "", "not_an_object"),
        ],
    )
    def test_says_what_is_wrong(self, cast, body, pointer, code):
        cast.acme.http.put(URL + "ada", {}, format="json")

        answer = self.merge(cast, body=body)

        assert answer.status_code == 422
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]

    def test_events_that_were_moved_are_still_stored_once(self, cast):
        event = {"user_id": "anon-1", "item_id": "a", "type": "view", "occurred_at": 964982703}
        _send(cast.acme, **event)
        self.merge(cast)

        again = cast.acme.http.post("/api/v1/events", event, format="json")

        assert again.status_code == 200

    def test_who_erases_the_known_person_erases_the_other_of_an_older_dump(self, cast):
        for name, into in (("anon-1", "anon-2"), ("anon-2", "ada")):
            _send(cast.acme, user_id=name, item_id="a")
            assert self.merge(cast, into, {"from": name}).status_code == 200
        tenant = cast.acme.tenant
        with scope.tenant(tenant.pk):
            assert FormerId.objects.count() == 2
            created_at = EndUser.objects.get().created_at
        cast.acme.http.delete(URL + "ada")
        with scope.tenant(tenant.pk):
            for name in ("anon-1", "anon-2", "ada", "bob"):
                EndUser.objects.create(tenant=tenant, user_id=name, created_at=created_at)

        assert apply_erasures(tenant_id=tenant.pk, now=clock.now()).users == 3
        with scope.tenant(tenant.pk):
            assert list(EndUser.objects.values_list("user_id", flat=True)) == ["bob"]

    def test_changes_nothing_when_redis_cannot_forget(self, cast):
        _send(cast.acme, user_id="anon-1", item_id="a")
        for _ in range(redis.breaker.threshold):
            redis.breaker.record_failure()

        answer = self.merge(cast)
        redis.breaker.record_success()

        assert answer.status_code == 503
        assert cast.acme.http.get(URL + "anon-1").status_code == 200

    def test_is_for_the_tenant_with_the_scope(self, cast):
        cast.acme.http.put(URL + "anon-1", {}, format="json")
        cast.globex.http.put(URL + "ada", {}, format="json")

        body = {"from": "anon-1"}
        assert cast.globex.http.post(URL + "ada/merge", body, format="json").status_code == 422
        assert cast.acme.reader.http.post(URL + "ada/merge", body, format="json").status_code == 403
        assert cast.anonymous.post(URL + "ada/merge", body, format="json").status_code == 401
        assert cast.acme.http.get(URL + "anon-1").status_code == 200


def _send(member, **event):
    assert member.http.post("/api/v1/events", {"type": "view", **event}, format="json").status_code == 201
