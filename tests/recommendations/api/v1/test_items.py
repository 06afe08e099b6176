"""Items over HTTP: /api/v1/items and /api/v1/items/{item_id}."""

import pytest

from accounts.tenancy import scope
from recommendations.catalog.models import Item

URL = "/api/v1/items/"
FILM = {
    "title": "Brazil (1985)",
    "description": "Sam Lowry dreams.",
    "categories": ["Comedy", "Drama"],
    "attributes": {"year": 1985, "dubbed": ["de"], "colour": True, "studio": "Embassy"},
    "hidden": False,
    "available_from": "2026-01-01T00:00:00Z",
    "available_until": "2036-01-01T00:00:00Z",
}


class TestPut:
    def test_creates_then_replaces(self, cast):
        created = cast.acme.http.put(URL + "brazil", FILM, format="json")
        again = cast.acme.http.put(URL + "brazil", FILM, format="json")
        replaced = cast.acme.http.put(URL + "brazil", {"title": "Brazil"}, format="json")

        assert [answer.status_code for answer in (created, again, replaced)] == [201, 200, 200]
        assert created["Location"] == URL + "brazil"
        body = created.json()
        assert {name: body[name] for name in FILM} == FILM
        assert again.json() == body
        assert again["ETag"] == created["ETag"] != replaced["ETag"]
        assert replaced.json()["categories"] == []
        assert replaced.json()["created_at"] == body["created_at"] < replaced.json()["updated_at"]

    def test_what_was_read_can_be_sent_back(self, cast):
        cast.acme.http.put(URL + "brazil", FILM, format="json")
        read = cast.acme.http.get(URL + "brazil")

        answer = cast.acme.http.put(URL + "brazil", read.json(), format="json")

        assert (answer.status_code, answer["ETag"]) == (200, read["ETag"])

    def test_creates_a_deleted_item_anew(self, cast):
        cast.acme.http.put(URL + "brazil", FILM, format="json")
        cast.acme.http.delete(URL + "brazil")

        answer = cast.acme.http.put(URL + "brazil", {}, format="json")

        assert answer.status_code == 201
        assert answer.json()["title"] == ""
        with scope.tenant(cast.acme.tenant.pk):
            assert Item.objects.count() == 1

    def test_honours_if_match(self, cast):
        first = cast.acme.http.put(URL + "a", {}, format="json")["ETag"]
        second = cast.acme.http.put(URL + "a", {"title": "A"}, format="json", HTTP_IF_MATCH=first)
        stale = cast.acme.http.put(URL + "a", {"title": "B"}, format="json", HTTP_IF_MATCH=first)
        absent = cast.acme.http.put(URL + "b", {}, format="json", HTTP_IF_MATCH="*")

        assert [answer.status_code for answer in (second, stale, absent)] == [200, 412, 412]
        assert stale.json()["code"] == "precondition_failed"
        assert cast.acme.http.get(URL + "a").json()["title"] == "A"

    def test_creates_only_with_if_none_match(self, cast):
        answers = [cast.acme.http.put(URL + "a", {}, format="json", HTTP_IF_NONE_MATCH="*") for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 412]

    @pytest.mark.parametrize(
        ("path", "body", "pointer", "code"),
        [
            ("a", {"tittle": ""}, "/tittle", "unknown_field"),
            ("a", {"item_id": "b"}, "/item_id", "other_id"),
            ("a", {"title": "\u0000"}, "/title", "bad_character"),
            ("a%0Ab", {}, "/item_id", "bad_character"),
            ("batch%00", {}, "/item_id", "bad_character"),
            ("é%C2%85", {}, "/item_id", "bad_character"),
            ("a" * 129, {}, "/item_id", "too_long"),
        ],
    )
    def test_says_what_is_wrong(self, cast, path, body, pointer, code):
        answer = cast.acme.http.put(URL + path, body, format="json")

        assert answer.status_code == 422
        assert answer["Content-Type"] == "application/problem+json"
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]

    def test_answers_hostile_bodies_clearly(self, cast):
        expected = {
            b'{"attributes": {"a": NaN}}': 400,
            b'{"attributes": {"a": 1e400}}': 422,
            b'{"attributes": {"a": %s}}' % (b"9" * 400): 422,
            b'{"attributes": {"a": %s}}' % (b"9" * 5000): 400,
            b'{"title": "\\ud800"}': 422,
            b'{"\\ud800": 1}': 422,
            b'{"title": "\\u0000"}': 422,
            b"[" * 100_000: 400,
            b'{"a":' * 100_000: 400,
            b"\xff\xfe": 400,
            b"[]": 422,
            b"7": 422,
            b"null": 422,
            b"{": 400,
        }

        answers = {raw: cast.acme.http.put(URL + "a", raw, content_type="application/json") for raw in expected}

        assert {raw: answer.status_code for raw, answer in answers.items()} == expected
        assert {answer["Content-Type"] for answer in answers.values()} == {"application/problem+json"}

    def test_takes_json_only(self, cast):
        assert cast.acme.http.put(URL + "a", "title=x", content_type="text/plain").status_code == 415


class TestGet:
    def test_answers_with_validators(self, cast):
        cast.acme.http.put(URL + "brazil", FILM, format="json")

        answer = cast.acme.http.get(URL + "brazil")

        assert answer.status_code == 200
        assert answer["Cache-Control"] == "private, max-age=0, must-revalidate"
        assert answer["Vary"] == "Authorization, Origin"
        assert answer["ETag"].startswith('"')

    def test_answers_304_without_a_body(self, cast):
        tag = cast.acme.http.put(URL + "brazil", FILM, format="json")["ETag"]

        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            answer = cast.acme.http.get(URL + "brazil", HTTP_IF_NONE_MATCH=known)

            assert (answer.status_code, answer.content) == (304, b"")
            assert answer["ETag"] == tag
            assert answer["Vary"] == "Authorization, Origin"

    def test_head_answers_as_get_does(self, cast):
        tag = cast.acme.http.put(URL + "brazil", FILM, format="json")["ETag"]

        answer = cast.acme.http.head(URL + "brazil")

        assert (answer.status_code, answer["ETag"], answer.content) == (200, tag, b"")

    def test_shows_a_hidden_item_to_its_tenant(self, cast):
        cast.acme.http.put(URL + "a", {"hidden": True}, format="json")

        assert cast.acme.http.get(URL + "a").json()["hidden"] is True

    def test_unknown_item_is_404(self, cast):
        assert cast.acme.http.get(URL + "nothing").status_code == 404


class TestPatch:
    def test_changes_what_was_given(self, cast):
        cast.acme.http.put(URL + "brazil", FILM, format="json")

        answer = cast.acme.http.patch(URL + "brazil", {"hidden": True, "attributes": None}, format="json")

        assert answer.status_code == 200
        assert {name: answer.json()[name] for name in FILM} == {**FILM, "hidden": True, "attributes": {}}

    def test_refuses_a_window_that_ends_before_it_begins(self, cast):
        cast.acme.http.put(URL + "brazil", FILM, format="json")

        answer = cast.acme.http.patch(URL + "brazil", {"available_until": "2025-01-01T00:00:00Z"}, format="json")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/available_until"

    def test_honours_if_match(self, cast):
        tag = cast.acme.http.put(URL + "a", {}, format="json")["ETag"]

        answers = [
            cast.acme.http.patch(URL + "a", {"title": title}, format="json", HTTP_IF_MATCH=tag) for title in "xy"
        ]

        assert [answer.status_code for answer in answers] == [200, 412]

    def test_unknown_item_is_404(self, cast):
        assert cast.acme.http.patch(URL + "nothing", {}, format="json").status_code == 404


class TestDelete:
    def test_leaves_an_empty_row_that_nobody_sees(self, cast):
        cast.acme.http.put(URL + "brazil", FILM, format="json")

        assert cast.acme.http.delete(URL + "brazil").status_code == 204

        assert cast.acme.http.get(URL + "brazil").status_code == 404
        assert cast.acme.http.delete(URL + "brazil").status_code == 404
        assert cast.acme.http.patch(URL + "brazil", {}, format="json").status_code == 404
        assert cast.acme.http.get("/api/v1/items").json()["data"] == []
        with scope.tenant(cast.acme.tenant.pk):
            row = Item.objects.get()
        assert (row.title, row.description, row.categories, row.attributes) == ("", "", [], {})
        assert row.deleted_at is not None

    def test_honours_if_match(self, cast):
        tag = cast.acme.http.put(URL + "a", {}, format="json")["ETag"]
        cast.acme.http.patch(URL + "a", {"title": "x"}, format="json")

        assert cast.acme.http.delete(URL + "a", HTTP_IF_MATCH=tag).status_code == 412


class TestAccess:
    def test_stranger_gets_404(self, cast):
        tag = cast.acme.http.put(URL + "brazil", FILM, format="json")["ETag"]
        http = cast.globex.http

        assert http.get(URL + "brazil").status_code == 404
        assert http.get(URL + "brazil", HTTP_IF_NONE_MATCH=tag).status_code == 404
        assert http.patch(URL + "brazil", {"title": "x"}, format="json").status_code == 404
        assert http.delete(URL + "brazil").status_code == 404
        assert http.put(URL + "brazil", {"title": "theirs"}, format="json").status_code == 201
        assert http.get("/api/v1/items").json()["data"][0]["title"] == "theirs"
        assert cast.acme.http.get(URL + "brazil")["ETag"] == tag

    def test_writing_needs_its_scope(self, cast):
        http = cast.acme.reader.http

        for answer in (
            http.put(URL + "a", {}, format="json"),
            http.patch(URL + "a", {}, format="json"),
            http.delete(URL + "a"),
        ):
            assert answer.status_code == 403
            assert "catalog:write" in answer.json()["detail"]

    @pytest.mark.parametrize("path", [URL + "a", "/api/v1/items"])
    def test_needs_a_token(self, cast, path):
        answer = cast.anonymous.get(path)

        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")

    @pytest.mark.parametrize("path", [URL + "a", "/api/v1/items"])
    def test_another_method_is_405(self, cast, path):
        answer = cast.acme.http.post(path, {}, format="json")

        assert answer.status_code == 405
        assert "GET" in answer["Allow"]
