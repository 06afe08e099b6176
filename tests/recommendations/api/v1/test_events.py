"""Events over HTTP: /api/v1/events."""

import pytest

from recommendations.interactions import selectors

URL = "/api/v1/events"
PURCHASE = {
    "event_id": "order-1",
    "user_id": "42",
    "item_id": "brazil",
    "type": "purchase",
    "value": 9.99,
    "occurred_at": "2026-03-01T08:00:00Z",
    "recommendation_id": "r0f3a",
    "context": {"device": "tv"},
}


class TestSend:
    def test_stores_an_event_once(self, cast):
        first = cast.acme.http.post(URL, PURCHASE, format="json")
        again = cast.acme.http.post(URL, PURCHASE, format="json")

        assert (first.status_code, again.status_code) == (201, 200)
        assert {name: first.json()[name] for name in PURCHASE} == PURCHASE
        assert again.json() == first.json()
        assert cast.acme.http.get(URL).json()["data"] == [first.json()]

    def test_needs_only_who_what_and_how(self, cast):
        answer = cast.acme.http.post(URL, {"user_id": "u", "item_id": "i", "type": "view"}, format="json")

        assert answer.status_code == 201
        assert answer.json()["occurred_at"] == answer.json()["received_at"]
        assert answer.json()["event_id"] is None

    @pytest.mark.parametrize(
        ("change", "pointer", "code"),
        [
            ({"user_id": None}, "/user_id", "not_a_string"),
            ({"item_id": "a\nb"}, "/item_id", "bad_character"),
            ({"type": "Bought!"}, "/type", "bad_type"),
            ({"value": "9"}, "/value", "not_a_number"),
            ({"occurred_at": "now"}, "/occurred_at", "not_a_timestamp"),
            ({"events": []}, "/events", "unknown_field"),
        ],
    )
    def test_says_what_is_wrong(self, cast, change, pointer, code):
        answer = cast.acme.http.post(URL, {**PURCHASE, **change}, format="json")

        assert answer.status_code == 422
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, code)]

    def test_an_infinite_value_is_refused(self, cast):
        raw = b'{"user_id": "u", "item_id": "i", "type": "view", "value": 1e999}'

        assert cast.acme.http.post(URL, raw, content_type="application/json").status_code == 422


class TestList:
    @pytest.fixture
    def sent(self, cast):
        events = [
            {"user_id": f"u{number % 2}", "item_id": f"i{number}", "type": "like" if number % 5 == 0 else "view"}
            | {"occurred_at": 1_700_000_000 + number // 3}
            for number in range(20)
        ]
        answer = cast.acme.http.post(URL + "/batch", {"events": events}, format="json")
        assert answer.json()["summary"] == {"created": 20}

    def test_walks_newest_first_without_repeating(self, cast, sent):
        pages = list(_walk(cast.acme, "?limit=7"))

        assert [row["item_id"] for page in pages for row in page] == [f"i{number}" for number in reversed(range(20))]
        assert [len(page) for page in pages] == [7, 7, 6]

    def test_filters_by_person_and_type(self, cast, sent):
        mine = [row["item_id"] for page in _walk(cast.acme, "?limit=3&user_id=u1") for row in page]
        liked = [row["item_id"] for page in _walk(cast.acme, "?limit=3&type=like") for row in page]
        both = [row["item_id"] for page in _walk(cast.acme, "?type=like&user_id=u1") for row in page]

        assert mine == [f"i{number}" for number in range(19, 0, -2)]
        assert liked == ["i15", "i10", "i5", "i0"]
        assert both == ["i15", "i5"]

    def test_looks_at_a_bounded_number_of_rows_a_page(self, cast, sent, monkeypatch):
        monkeypatch.setattr(selectors, "MAX_SCANNED", 6)

        pages = list(_walk(cast.acme, "?limit=3&type=like"))

        assert [[row["item_id"] for row in page] for page in pages] == [["i15"], ["i10"], ["i5"], ["i0"]]

    def test_an_unknown_person_or_type_has_none(self, cast, sent):
        assert list(_walk(cast.acme, "?user_id=nobody")) == [[]]
        assert list(_walk(cast.acme, "?type=never")) == [[]]

    def test_answers_304_until_something_happens(self, cast, sent):
        tag = cast.acme.http.get(URL)["ETag"]
        same = cast.acme.http.get(URL, HTTP_IF_NONE_MATCH=tag)
        cast.acme.http.post(URL, PURCHASE, format="json")
        changed = cast.acme.http.get(URL, HTTP_IF_NONE_MATCH=tag)

        assert (same.status_code, same.content, changed.status_code) == (304, b"", 200)

    @pytest.mark.parametrize("query", ["?user_id=a%0Ab", "?type=%00", "?item_id=i1", "?cursor=a:b", "?limit=-1"])
    def test_refuses_a_bad_query(self, cast, query):
        assert cast.acme.http.get(URL + query).status_code == 422


class TestAccess:
    def test_stranger_gets_404(self, cast):
        """A list is never 404: a stranger's is empty, also when it asks for our person."""
        cast.acme.http.post(URL, PURCHASE, format="json")

        assert cast.globex.http.get(URL).json()["data"] == []
        assert cast.globex.http.get(URL + "?user_id=42").json()["data"] == []
        assert cast.globex.http.post(URL, PURCHASE, format="json").status_code == 201

    def test_each_method_needs_its_scope(self, cast):
        answer = cast.acme.reader.http.post(URL, PURCHASE, format="json")

        assert answer.status_code == 403
        assert "events:write" in answer.json()["detail"]
        assert cast.acme.reader.http.get(URL).status_code == 200

    def test_needs_a_token(self, cast):
        assert cast.anonymous.get(URL).status_code == 401
        assert cast.anonymous.post(URL, PURCHASE, format="json").status_code == 401

    def test_another_method_is_405(self, cast):
        assert cast.acme.http.delete(URL).status_code == 405


def _walk(member, query):
    path = URL + query
    while path:
        answer = member.http.get(path)
        assert answer.status_code == 200, answer.json()
        yield answer.json()["data"]
        path = answer["Link"].partition(">")[0][1:] if "Link" in answer else None
