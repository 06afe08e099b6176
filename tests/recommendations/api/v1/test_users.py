"""End users over HTTP: /api/v1/users and /api/v1/users/{user_id}."""

import pytest

from accounts.tenancy import scope
from core import redis
from recommendations.cache import keys
from recommendations.catalog.models import EndUser
from recommendations.interactions.models import Interaction
from recommendations.models import UserList
from tests.recommendations import lists

URL = "/api/v1/users/"
PERSON = {"attributes": {"age": 34, "plan": "family"}, "segments": ["subscribers"], "locale": "de-AT"}


class TestPut:
    def test_creates_then_replaces(self, cast):
        created = cast.acme.http.put(URL + "42", PERSON, format="json")
        again = cast.acme.http.put(URL + "42", PERSON, format="json")
        replaced = cast.acme.http.put(URL + "42", {"locale": "fr"}, format="json")

        assert [answer.status_code for answer in (created, again, replaced)] == [201, 200, 200]
        assert {name: created.json()[name] for name in PERSON} == PERSON
        assert created["ETag"] == again["ETag"] != replaced["ETag"]
        assert replaced.json()["segments"] == []

    def test_keeps_the_events_of_a_stub(self, cast):
        _send(cast.acme, user_id="42", item_id="a")

        assert cast.acme.http.put(URL + "42", PERSON, format="json").status_code == 200

        assert len(cast.acme.http.get("/api/v1/events?user_id=42").json()["data"]) == 1

    @pytest.mark.parametrize(
        ("path", "body", "pointer", "code"),
        [
            ("42", {"title": "x"}, "/title", "unknown_field"),
            ("42", {"locale": "x" * 17}, "/locale", "too_long"),
            ("42", {"user_id": 42}, "/user_id", "other_id"),
            ("a%2Cb%09c", {}, "/user_id", "bad_character"),
        ],
    )
    def test_says_what_is_wrong(self, cast, path, body, pointer, code):
        answer = cast.acme.http.put(URL + path, body, format="json")

        assert answer.status_code == 422
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]

    def test_honours_conditions(self, cast):
        tag = cast.acme.http.put(URL + "42", {}, format="json")["ETag"]
        answers = [
            cast.acme.http.put(URL + "42", {"locale": "de"}, format="json", HTTP_IF_MATCH=tag),
            cast.acme.http.put(URL + "42", {"locale": "fr"}, format="json", HTTP_IF_MATCH=tag),
            cast.acme.http.patch(URL + "42", {"locale": "fr"}, format="json", HTTP_IF_MATCH=tag),
            cast.acme.http.put(URL + "42", {}, format="json", HTTP_IF_NONE_MATCH="*"),
            cast.acme.http.delete(URL + "42", HTTP_IF_MATCH=tag),
        ]

        assert [answer.status_code for answer in answers] == [200, 412, 412, 412, 412]


class TestGet:
    def test_answers_304_without_a_body(self, cast):
        tag = cast.acme.http.put(URL + "42", PERSON, format="json")["ETag"]

        fresh, same = cast.acme.http.get(URL + "42"), cast.acme.http.get(URL + "42", HTTP_IF_NONE_MATCH=tag)

        assert (fresh.status_code, fresh["ETag"]) == (200, tag)
        assert (same.status_code, same.content) == (304, b"")

    def test_an_event_does_not_change_the_person(self, cast):
        tag = cast.acme.http.put(URL + "42", PERSON, format="json")["ETag"]
        _send(cast.acme, user_id="42", item_id="a")

        assert cast.acme.http.get(URL + "42")["ETag"] == tag


class TestPatch:
    def test_changes_what_was_given(self, cast):
        cast.acme.http.put(URL + "42", PERSON, format="json")

        answer = cast.acme.http.patch(URL + "42", {"locale": "fr"}, format="json")

        assert {name: answer.json()[name] for name in PERSON} == {**PERSON, "locale": "fr"}

    def test_unknown_person_is_404(self, cast):
        assert cast.acme.http.patch(URL + "nobody", {}, format="json").status_code == 404


class TestErase:
    def test_removes_the_person_their_events_and_lists(self, cast):
        lists.publish(cast.acme.tenant, people={"42": ["a"], "43": ["a"]}, items=["a"])
        _send(cast.acme, user_id="42", item_id="a")
        _send(cast.acme, user_id="42", item_id="a", type="like")
        _send(cast.acme, user_id="43", item_id="a")

        answer = cast.acme.http.delete(URL + "42")

        assert answer.status_code == 200
        receipt = answer.json()
        assert set(receipt) == {"receipt_id", "erased_at", "rows"}
        zero = (
            "related_people",
            "exposures",
            "impressions",
            "stored_answers",
            "ai_answers",
            "ai_requests",
            "ai_questions",
        )
        none = dict.fromkeys((*zero, "import_files", "former_ids", "staff_log"), 0)
        assert receipt["rows"] == {"end_users": 1, "events": 2, "lists": 1, **none}
        assert receipt["erased_at"].endswith("Z")
        assert answer["Cache-Control"] == "no-store"
        with scope.tenant(cast.acme.tenant.pk):
            assert list(EndUser.objects.values_list("user_id", flat=True)) == ["43"]
            assert Interaction.objects.count() == 1
            assert UserList.objects.count() == 1
        assert cast.acme.http.get(URL + "42").status_code == 404
        assert cast.acme.http.delete(URL + "42").status_code == 404

    def test_removes_the_cached_list(self, cast, redis_server):
        cast.acme.http.put(URL + "42", {}, format="json")
        key = keys.user_list(cast.acme.tenant.pk, "home", "42")
        redis_server.set(key, b"x")

        cast.acme.http.delete(URL + "42")

        assert not redis_server.exists(key)

    def test_changes_nothing_when_redis_cannot_forget(self, cast, settings):
        cast.acme.http.put(URL + "42", {}, format="json")
        _send(cast.acme, user_id="42", item_id="a")
        for _ in range(redis.breaker.threshold):
            redis.breaker.record_failure()

        answer = cast.acme.http.delete(URL + "42")
        redis.breaker.record_success()

        assert answer.status_code == 503
        assert answer["Retry-After"]
        assert cast.acme.http.get(URL + "42").status_code == 200
        assert len(cast.acme.http.get("/api/v1/events?user_id=42").json()["data"]) == 1


class TestList:
    def test_walks_by_id(self, cast):
        _make(cast.acme, ["a", "b", "c"])
        first = cast.acme.http.get("/api/v1/users?limit=2").json()
        second = cast.acme.http.get(f"/api/v1/users?limit=2&cursor={first['next']}").json()

        assert [row["user_id"] for row in first["data"] + second["data"]] == ["a", "b", "c"]
        assert second["next"] is None

    def test_follows_changes(self, cast):
        _make(cast.acme, ["a", "b"])
        since = cast.acme.http.patch(URL + "a", {"locale": "fr"}, format="json").json()["updated_at"]

        answer = cast.acme.http.get(f"/api/v1/users?updated_since={since}")

        assert [row["user_id"] for row in answer.json()["data"]] == ["a"]

    def test_answers_304(self, cast):
        _make(cast.acme, ["a"])
        tag = cast.acme.http.get("/api/v1/users")["ETag"]

        assert cast.acme.http.get("/api/v1/users", HTTP_IF_NONE_MATCH=tag).status_code == 304


class TestAccess:
    def test_stranger_gets_404(self, cast):
        cast.acme.http.put(URL + "42", PERSON, format="json")
        http = cast.globex.http

        assert http.get(URL + "42").status_code == 404
        assert http.patch(URL + "42", {}, format="json").status_code == 404
        assert http.delete(URL + "42").status_code == 404
        assert http.get("/api/v1/users").json()["data"] == []
        assert cast.acme.http.get(URL + "42").status_code == 200

    def test_each_method_needs_its_scope(self, cast):
        http = cast.acme.reader.http
        needed = {
            "catalog:write": [http.put(URL + "a", {}, format="json"), http.patch(URL + "a", {}, format="json")],
            "privacy:write": [http.delete(URL + "a")],
        }

        for name, answers in needed.items():
            for answer in answers:
                assert answer.status_code == 403
                assert name in answer.json()["detail"]

    @pytest.mark.parametrize("path", [URL + "a", "/api/v1/users"])
    def test_needs_a_token(self, cast, path):
        assert cast.anonymous.get(path).status_code == 401


def _make(member, user_ids):
    rows = [{"user_id": user_id} for user_id in user_ids]
    assert member.http.post("/api/v1/users/batch", {"users": rows}, format="json").status_code == 200


def _send(member, **event):
    assert member.http.post("/api/v1/events", {"type": "view", **event}, format="json").status_code == 201
