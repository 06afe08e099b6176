"""Items over HTTP: /api/v1/items and /api/v1/items/{item_id}."""

import pytest

from accounts.tenancy import scope
from core import clock
from recommendations.cache import withdrawn_items
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


def _gone(member):
    withdrawn_items.load(member.tenant.pk, {})
    return withdrawn_items.parse(withdrawn_items.snapshot(member.tenant.pk))


@pytest.fixture
def committed(django_capture_on_commit_callbacks):
    """Runs what waits for the commit, as a request outside a test does."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


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


class TestAvailability:
    def test_is_pushed_with_each_change(self, cast, committed):
        steps = [
            ({"hidden": False}, {}),
            ({"hidden": True}, {"a": 0.0}),
            ({"hidden": False}, {}),
            ({"available_until": "2036-01-01T00:00:00Z"}, {"a": 2_082_758_400.0}),
            ({"available_from": "2035-01-01T00:00:00Z"}, {"a": 0.0}),
        ]
        for body, gone in steps:
            with committed():
                cast.acme.http.put(URL + "a", body, format="json")
            assert _gone(cast.acme) == gone

    def test_is_pushed_when_an_item_is_deleted_and_comes_back(self, cast, committed):
        with committed():
            cast.acme.http.put(URL + "a", {}, format="json")
            cast.acme.http.delete(URL + "a")
        assert _gone(cast.acme) == {"a": 0.0}

        with committed():
            cast.acme.http.put(URL + "a", {}, format="json")
        assert _gone(cast.acme) == {}

    def test_is_pushed_before_the_answer(self, cast, committed_db):
        cast.acme.http.put(URL + "a", {}, format="json")
        cast.acme.http.patch(URL + "a", {"hidden": True}, format="json")

        assert _gone(cast.acme) == {"a": 0.0}
        assert _gone(cast.globex) == {}


class TestList:
    def test_walks_by_id_without_repeating(self, cast):
        _make(cast.acme, [f"i{number:03}" for number in range(7)])
        _make(cast.globex, ["stranger"])

        pages = list(_walk(cast.acme, "?limit=3"))

        assert [[row["item_id"] for row in page["data"]] for page in pages] == [
            ["i000", "i001", "i002"],
            ["i003", "i004", "i005"],
            ["i006"],
        ]
        assert pages[-1]["next"] is None

    def test_filters(self, cast):
        _make(cast.acme, ["a"], categories=["Drama"])
        _make(cast.acme, ["b"], categories=["Comedy", "Drama"], hidden=True)
        _make(cast.acme, ["c"])
        http = cast.acme.http

        def listed(query):
            return [row["item_id"] for row in http.get("/api/v1/items" + query).json()["data"]]

        assert listed("?category=Drama") == ["a", "b"]
        assert listed("?category=Drama&hidden=true") == ["b"]
        assert listed("?hidden=false") == ["a", "c"]
        assert listed("?category=Unknown") == []

    def test_follows_changes_in_their_order(self, cast):
        _make(cast.acme, ["a", "b", "c"])
        since = clock.now().isoformat().replace("+00:00", "Z")
        cast.acme.http.patch(URL + "c", {"title": "x"}, format="json")
        cast.acme.http.patch(URL + "a", {"title": "x"}, format="json")

        pages = list(_walk(cast.acme, f"?limit=1&updated_since={since}"))

        assert [row["item_id"] for page in pages for row in page["data"]] == ["c", "a"]

    def test_answers_304_until_something_changes(self, cast):
        _make(cast.acme, ["a", "b", "c"])
        first = cast.acme.http.get("/api/v1/items?limit=2")
        same = cast.acme.http.get("/api/v1/items?limit=2", HTTP_IF_NONE_MATCH=first["ETag"])
        cast.acme.http.patch(URL + "b", {"title": "x"}, format="json")
        changed = cast.acme.http.get("/api/v1/items?limit=2", HTTP_IF_NONE_MATCH=first["ETag"])

        assert (same.status_code, same.content) == (304, b"")
        assert same["Link"] == first["Link"]
        assert first["Link"].endswith('>; rel="next"')
        assert changed.status_code == 200
        assert cast.acme.http.get(first["Link"].partition(">")[0][1:]).json()["data"][0]["item_id"] == "c"

    def test_says_what_is_wrong_with_a_query(self, cast):
        expected = {
            "?limit=0": ("/limit", "out_of_range"),
            "?limit=201": ("/limit", "out_of_range"),
            "?limit=two": ("/limit", "out_of_range"),
            "?limit=%D9%A2": ("/limit", "out_of_range"),
            "?cursor=x": ("/cursor", "bad_cursor"),
            "?cursor=%00": ("/cursor", "bad_cursor"),
            "?hidden=1": ("/hidden", "not_a_boolean"),
            "?category=%00": ("/category", "bad_character"),
            "?updated_since=yesterday": ("/updated_since", "not_a_timestamp"),
            "?categori=x": ("/categori", "unknown_parameter"),
            "?hidden=true&hidden=false": ("/hidden", "repeated"),
        }

        answers = {query: cast.acme.http.get("/api/v1/items" + query) for query in expected}

        assert {answer.status_code for answer in answers.values()} == {422}
        told = {query: answer.json()["errors"][0] for query, answer in answers.items()}
        assert {query: (error["pointer"], error["code"]) for query, error in told.items()} == expected

    def test_a_cursor_is_good_for_its_tenant_and_filters_only(self, cast):
        for member in (cast.acme, cast.globex):
            _make(member, ["a", "b"])
        cursor = cast.acme.http.get("/api/v1/items?limit=1").json()["next"]

        stranger = cast.globex.http.get(f"/api/v1/items?limit=1&cursor={cursor}")
        other_filter = cast.acme.http.get(f"/api/v1/items?limit=1&hidden=false&cursor={cursor}")
        other_list = cast.acme.http.get(f"/api/v1/users?limit=1&cursor={cursor}")

        for answer in (stranger, other_filter, other_list):
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["code"] == "foreign_cursor"


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


def _make(member, item_ids, **fields):
    rows = [{"item_id": item_id, **fields} for item_id in item_ids]
    assert member.http.post("/api/v1/items/batch", {"items": rows}, format="json").status_code == 200


def _walk(member, query):
    path = "/api/v1/items" + query
    while path:
        answer = member.http.get(path)
        assert answer.status_code == 200, answer.json()
        yield answer.json()
        path = answer["Link"].partition(">")[0][1:] if "Link" in answer else None
