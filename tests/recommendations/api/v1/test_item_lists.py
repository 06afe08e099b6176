"""Lists of items over HTTP: pages, filters, changes, and validators."""

from core import clock

URL = "/api/v1/items/"


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
