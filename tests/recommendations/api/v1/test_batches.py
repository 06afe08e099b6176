"""Batches over HTTP: an outcome for each row, in order."""

from typing import Any

import pytest

from core.idempotency.models import MAX_BODY

KINDS = {"items": "item_id", "users": "user_id"}


def _post(member, kind, rows):
    return member.http.post(f"/api/v1/{kind}/batch", {kind: rows}, format="json")


def _results(answer):
    assert answer.status_code == 200, answer.json()
    return [(row["index"], row["id"], row["status"]) for row in answer.json()["results"]]


class TestCatalogueBatches:
    @pytest.mark.parametrize(("kind", "key"), KINDS.items())
    def test_tells_created_updated_and_unchanged_apart(self, cast, kind, key):
        _post(cast.acme, kind, [{key: "same"}, {key: "other"}])

        answer = _post(cast.acme, kind, [{key: "new"}, {key: "same"}, {key: "other", "attributes": {"a": 1}}])

        assert _results(answer) == [(0, "new", "created"), (1, "same", "unchanged"), (2, "other", "updated")]
        assert answer.json()["summary"] == {"created": 1, "unchanged": 1, "updated": 1}

    @pytest.mark.parametrize(("kind", "key"), KINDS.items())
    def test_keeps_good_rows_and_reports_bad_ones(self, cast, kind, key):
        answer = _post(
            cast.acme, kind, [{key: "a"}, {key: "a/similar"}, {}, 7, {key: "c", "attributes": []}, {key: "d"}]
        )

        assert [row[2] for row in _results(answer)] == ["created", *["rejected"] * 4, "created"]
        errors = [row["errors"][0]["pointer"] for row in answer.json()["results"] if row["errors"]]
        assert errors == [f"/{kind}/1/{key}", f"/{kind}/2/{key}", f"/{kind}/3", f"/{kind}/4/attributes"]
        assert answer.json()["results"][4]["id"] == "c"

    @pytest.mark.parametrize(("kind", "key"), KINDS.items())
    def test_the_last_of_rows_with_one_id_holds(self, cast, kind, key):
        rows = [{key: "a", "attributes": {"n": 1}}, {key: "b"}, {key: "a", "attributes": {"n": 2}}]

        answer = _post(cast.acme, kind, rows)

        assert _results(answer) == [(0, "a", "duplicate"), (1, "b", "created"), (2, "a", "created")]
        assert answer.json()["results"][0]["errors"][0]["code"] == "superseded"
        assert cast.acme.http.get(f"/api/v1/{kind}/a").json()["attributes"] == {"n": 2}

    @pytest.mark.parametrize(("kind", "key"), KINDS.items())
    def test_an_attribute_that_is_null_or_too_long_costs_itself_and_is_told(self, cast, kind, key):
        rows = [{key: "a", "attributes": {"price": None, "text": "x" * 1001, "n": 1}}]

        answer = _post(cast.acme, kind, rows)

        assert _results(answer) == [(0, "a", "created")]
        errors = answer.json()["results"][0]["errors"]
        assert [(error["pointer"], error["code"]) for error in errors] == [
            (f"/{kind}/0/attributes/price", "null_attribute"),
            (f"/{kind}/0/attributes/text", "too_long"),
        ]
        assert cast.acme.http.get(f"/api/v1/{kind}/a").json()["attributes"] == {"n": 1}

    def test_a_deleted_item_comes_back_as_created(self, cast):
        _post(cast.acme, "items", [{"item_id": "a", "title": "x"}])
        cast.acme.http.delete("/api/v1/items/a")

        assert _results(_post(cast.acme, "items", [{"item_id": "a"}])) == [(0, "a", "created")]
        assert cast.acme.http.get("/api/v1/items/a").json()["title"] == ""

    def test_takes_a_thousand_rows(self, cast):
        rows = [{"item_id": f"i{number}", "title": "x" * 100, "categories": ["a", "b"]} for number in range(1000)]

        assert _post(cast.acme, "items", rows).json()["summary"] == {"created": 1000}
        assert _post(cast.acme, "items", rows).json()["summary"] == {"unchanged": 1000}

    def test_hides_many_items_at_once(self, cast, committed_db, redis_server):
        _post(cast.acme, "items", [{"item_id": "a"}, {"item_id": "b"}])
        _post(cast.acme, "items", [{"item_id": "a", "hidden": True}, {"item_id": "b", "hidden": True}])

        assert set(redis_server.hkeys(f"{{t:{cast.acme.tenant.pk}}}:gone")) == {b"a", b"b"}


class TestEventsBatch:
    def test_tells_every_outcome(self, cast):
        events = [
            {"event_id": "e1", "user_id": "u", "item_id": "i", "type": "view"},
            {"event_id": "e1", "user_id": "u", "item_id": "i", "type": "view"},
            {"event_id": "e2", "user_id": "u", "item_id": "i"},
            {"user_id": "u", "item_id": "i", "type": "view"},
        ]

        answer = _post(cast.acme, "events", events)

        assert _results(answer) == [
            (0, "e1", "created"),
            (1, "e1", "duplicate"),
            (2, "e2", "rejected"),
            (3, None, "created"),
        ]
        assert answer.json()["results"][2]["errors"] == [
            {"pointer": "/events/2/type", "code": "required", "detail": "This field is required."}
        ]

    def test_an_entry_of_the_context_that_is_null_costs_itself(self, cast):
        event = {"user_id": "u", "item_id": "i", "type": "view", "context": {"page": None, "device": "tv"}}

        answer = _post(cast.acme, "events", [event])

        assert _results(answer) == [(0, None, "created")]
        assert answer.json()["results"][0]["errors"][0]["pointer"] == "/events/0/context/page"
        (stored,) = cast.acme.http.get("/api/v1/events").json()["data"]
        assert stored["context"] == {"device": "tv"}


class TestBody:
    def test_must_hold_the_list(self, cast):
        bodies: list[Any] = [{}, [], {"rows": []}, {"items": {}, "users": {}, "events": {}}, None]
        for kind in ("items", "users", "events"):
            for body in bodies:
                answer = cast.acme.http.post(f"/api/v1/{kind}/batch", body, format="json")

                assert answer.status_code == 422

    def test_may_hold_a_thousand_rows_and_nothing_else(self, cast):
        for kind in ("items", "users", "events"):
            assert _post(cast.acme, kind, [{}] * 1001).json()["errors"][0]["code"] == "too_many"
            answer = cast.acme.http.post(f"/api/v1/{kind}/batch", {kind: [], "dry_run": True}, format="json")
            assert answer.json()["errors"][0]["code"] == "unknown_field"

    def test_may_be_empty(self, cast):
        for kind in ("items", "users", "events"):
            assert _post(cast.acme, kind, []).json() == {"results": [], "summary": {}}


class TestAccess:
    @pytest.mark.parametrize(("kind", "needed"), [("items", "catalog"), ("users", "catalog"), ("events", "events")])
    def test_needs_token_scope_and_method(self, cast, kind, needed):
        path = f"/api/v1/{kind}/batch"

        assert cast.anonymous.post(path, {kind: []}, format="json").status_code == 401
        refused = cast.acme.reader.http.post(path, {kind: []}, format="json")
        assert refused.status_code == 403
        assert f"{needed}:write" in refused.json()["detail"]
        assert cast.acme.http.get(path).status_code == 405

    @pytest.mark.parametrize(("kind", "key"), KINDS.items())
    def test_stranger_gets_404(self, cast, kind, key):
        """A batch names objects of the caller only: the stranger's row is another one, ours stays as it is."""
        _post(cast.acme, kind, [{key: "a", "attributes": {"n": 1}}])

        assert _results(_post(cast.globex, kind, [{key: "a"}])) == [(0, "a", "created")]
        assert cast.acme.http.get(f"/api/v1/{kind}/a").json()["attributes"] == {"n": 1}


class TestRepeat:
    """A result of more than 64 KiB is not kept whole under its Idempotency-Key."""

    def test_has_the_whole_result(self, cast):
        sent, first, again = _twice(cast.acme, rows=100, length=8)

        assert [row["id"] for row in first.json()["results"]] == sent
        assert again.content == first.content
        assert "Idempotent-Abridged" not in again

    @pytest.mark.parametrize(("length", "kept"), [(16, True), (60, True), (128, False)])
    def test_has_the_summary_and_the_ids_that_fit(self, cast, length, kept):
        sent, first, again = _twice(cast.acme, rows=1000, length=length)

        assert len(first.content) > MAX_BODY >= len(again.content)
        assert again["Idempotent-Abridged"] == "true"
        assert again.json() == {"ids": sent if kept else None, "summary": {"created": 1000}}


def _twice(member, *, rows, length):
    """The ids of a batch, and its answers: the first, and the one that a repeat gets."""
    ids = [f"{number:0{length}}" for number in range(rows)]
    body = {"items": [{"item_id": item_id} for item_id in ids]}
    first, again = (
        member.http.post("/api/v1/items/batch", body, format="json", headers={"Idempotency-Key": "k"}) for _ in range(2)
    )
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (200, 200, "true")
    return ids, first, again
