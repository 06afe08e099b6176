"""The examples of the OpenAPI document: what may be sent is taken, what is answered looks as shown."""

import pytest

from recommendations.api.v1.serializers import batches, events, items, users


def _shape(value):
    """Names and kinds, without values; null fits everything."""
    if isinstance(value, dict):
        return {name: _shape(entry) for name, entry in value.items()}
    return type(value).__name__ if not isinstance(value, list) else [_shape(entry) for entry in value[:1]]


class TestExamples:
    @pytest.mark.parametrize(("path", "schema"), [("/api/v1/items/movie-1", items), ("/api/v1/users/42", users)])
    def test_of_resources(self, cast, path, schema):
        created = cast.acme.http.put(path, schema.WRITE_EXAMPLE.value, format="json")
        changed = cast.acme.http.patch(path, schema.PATCH_EXAMPLE.value, format="json")
        listed = cast.acme.http.get(path.rpartition("/")[0])

        assert (created.status_code, changed.status_code) == (201, 200)
        assert _shape(created.json()) == _shape(schema.READ_EXAMPLE.value)
        assert _shape(listed.json()) == _shape(schema.PAGE_EXAMPLE.value)

    def test_of_a_receipt(self, cast):
        cast.acme.http.put("/api/v1/users/42", {}, format="json")

        receipt = cast.acme.http.delete("/api/v1/users/42").json()

        assert _shape(receipt) == _shape(users.RECEIPT_EXAMPLE.value)

    def test_of_events(self, cast):
        sent = cast.acme.http.post("/api/v1/events", events.SENT_EXAMPLE.value, format="json")

        assert sent.status_code == 201
        assert _shape(sent.json()) == _shape(events.STORED_EXAMPLE.value)
        assert _shape(cast.acme.http.get("/api/v1/events").json()) == _shape(events.PAGE_EXAMPLE.value)

    @pytest.mark.parametrize(
        ("kind", "example", "summary"),
        [
            ("items", batches.ITEMS_EXAMPLE, batches.RESULT_EXAMPLE.value["summary"]),
            ("users", batches.USERS_EXAMPLE, {"created": 2}),
            ("events", batches.EVENTS_EXAMPLE, {"created": 1}),
        ],
    )
    def test_of_batches(self, cast, kind, example, summary):
        answer = cast.acme.http.post(f"/api/v1/{kind}/batch", example.value, format="json")

        assert answer.json()["summary"] == summary
        if kind == "items":
            assert answer.json() == batches.RESULT_EXAMPLE.value
