"""Rows that say only some fields: the others stay, whatever else is written at the same time."""

import threading

import pytest
from django.db import connection

from accounts.tenancy import scope
from core import clock
from recommendations.catalog import items
from recommendations.catalog.merging import Changes, complete_row, emptied_fields, merge_rows
from recommendations.catalog.models import Item
from recommendations.catalog.schemas import read_item_row

FULL = {
    "title": "Kettle",
    "description": "Boils water.",
    "categories": ["Kitchen"],
    "attributes": {"price": 20, "colour": "red"},
    "hidden": False,
    "available_from": "2026-01-01T00:00:00Z",
    "available_until": "2027-01-01T00:00:00Z",
}
PERSON = {"attributes": {"plan": "family"}, "segments": ["subscribers"], "locale": "de-AT"}


def post(member, kind, rows):
    answer = member.http.post(f"/api/v1/{kind}/batch", {kind: rows}, format="json")
    assert answer.status_code == 200, answer.json()
    return answer.json()["results"]


def shown(member, path, fields):
    body = member.http.get(f"/api/v1/{path}").json()
    return {name: body[name] for name in fields}


class TestBatches:
    def test_a_field_that_an_item_leaves_out_stays(self, cast):
        post(cast.acme, "items", [{"item_id": "a", **FULL}])

        (result,) = post(cast.acme, "items", [{"item_id": "a", "hidden": True}])

        assert result["status"] == "updated"
        assert shown(cast.acme, "items/a", FULL) == {**FULL, "hidden": True}

    def test_a_field_that_a_person_leaves_out_stays(self, cast):
        post(cast.acme, "users", [{"user_id": "u", **PERSON}])

        (result,) = post(cast.acme, "users", [{"user_id": "u", "segments": []}])

        assert result["status"] == "updated"
        assert shown(cast.acme, "users/u", PERSON) == {**PERSON, "segments": []}

    def test_null_and_empty_values_empty_a_field(self, cast):
        post(cast.acme, "items", [{"item_id": "a", **FULL}])

        post(cast.acme, "items", [{"item_id": "a", "title": None, "description": "", "available_until": None}])

        emptied = {"title": "", "description": "", "available_until": None}
        assert shown(cast.acme, "items/a", FULL) == {**FULL, **emptied}

    def test_what_says_nothing_new_is_unchanged(self, cast):
        post(cast.acme, "items", [{"item_id": "a", **FULL}])

        rows = [{"item_id": "a"}, {"item_id": "a", "title": "Kettle"}]

        assert [row["status"] for row in post(cast.acme, "items", rows[:1])] == ["unchanged"]
        assert [row["status"] for row in post(cast.acme, "items", rows)] == ["duplicate", "unchanged"]

    def test_true_is_another_value_than_one(self, cast):
        post(cast.acme, "items", [{"item_id": "a", "attributes": {"n": 1}}])

        (result,) = post(cast.acme, "items", [{"item_id": "a", "attributes": {"n": True}}])

        assert result["status"] == "updated"
        assert shown(cast.acme, "items/a", ["attributes"]) == {"attributes": {"n": True}}

    def test_rows_with_one_id_are_put_together(self, cast):
        rows = [
            {"item_id": "a", "title": "Kettle", "categories": ["Kitchen"]},
            {"item_id": "b"},
            {"item_id": "a", "title": "Teapot", "hidden": True},
        ]

        assert [row["status"] for row in post(cast.acme, "items", rows)] == ["duplicate", "created", "created"]
        wanted = {"title": "Teapot", "categories": ["Kitchen"], "hidden": True}
        assert shown(cast.acme, "items/a", wanted) == wanted

    def test_a_window_that_ends_before_the_stored_beginning_is_refused(self, cast):
        post(cast.acme, "items", [{"item_id": "a", **FULL}])
        rows = [{"item_id": "a", "available_until": "2025-01-01T00:00:00Z"}, {"item_id": "b", "title": "B"}]

        results = post(cast.acme, "items", rows)

        assert [row["status"] for row in results] == ["rejected", "created"]
        assert results[0]["errors"][0]["pointer"] == "/items/0/available_until"
        assert shown(cast.acme, "items/a", FULL) == FULL

    def test_put_replaces_and_patch_changes(self, cast):
        cast.acme.http.put("/api/v1/items/a", FULL, format="json")
        cast.acme.http.patch("/api/v1/items/a", {"title": "Teapot"}, format="json")
        assert shown(cast.acme, "items/a", FULL) == {**FULL, "title": "Teapot"}

        cast.acme.http.put("/api/v1/items/a", {"title": "Pan"}, format="json")

        assert shown(cast.acme, "items/a", ["title", "description", "attributes", "available_until"]) == {
            "title": "Pan",
            "description": "",
            "attributes": {},
            "available_until": None,
        }

    def test_a_deleted_item_comes_back_with_what_the_row_says_alone(self, cast):
        post(cast.acme, "items", [{"item_id": "a", **FULL}])
        cast.acme.http.delete("/api/v1/items/a")

        (result,) = post(cast.acme, "items", [{"item_id": "a", "title": "New"}])

        assert result["status"] == "created"
        assert shown(cast.acme, "items/a", ["title", "description"]) == {"title": "New", "description": ""}

    def test_a_hidden_item_stays_hidden_for_readers(self, cast, committed_db, redis_server):
        post(cast.acme, "items", [{"item_id": "a", "hidden": True}])
        post(cast.acme, "items", [{"item_id": "a", "title": "A"}])

        assert redis_server.hkeys(f"{{t:{cast.acme.tenant.pk}}}:gone") == [b"a"]


@pytest.mark.usefixtures("committed_db")
def test_two_writers_of_different_fields_lose_nothing(cast):
    """Many times at once: one writes titles, one categories, in opposite orders; every item ends up with both."""
    tenant_id, names = cast.acme.tenant.pk, [f"i{number:03}" for number in range(60)]
    failures = []

    def write(rows):
        try:
            for _ in range(3):
                items.upsert_items(tenant_id=tenant_id, items=rows, now=clock.now())
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    titles = [read_item_row({"item_id": name, "title": name}) for name in names]
    categories = [read_item_row({"item_id": name, "categories": ["c"]}) for name in reversed(names)]
    threads = [threading.Thread(target=write, args=(rows,)) for rows in (titles, categories) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not failures
    with scope.tenant(tenant_id):
        assert set(Item.objects.values_list("item_id", "title", "categories__0")) == {(n, n, "c") for n in names}


class TestMerged:
    def test_single_entries_change_an_object_and_leave_the_others(self):
        stored = {"attributes": {"price": 20, "colour": "red"}}

        row = {"attributes": Changes(price=19, colour=None, size="L")}

        assert complete_row(stored, row) == {"attributes": {"price": 19, "size": "L"}}

    def test_single_entries_add_up_over_rows(self):
        row = merge_rows({"attributes": Changes(a=1, b=1)}, {"attributes": Changes(b=None)})

        assert complete_row({"attributes": {"b": 5, "c": 5}}, row) == {"attributes": {"a": 1, "c": 5}}

    def test_emptied_is_what_held_something_before(self):
        before = {"title": "a", "description": "", "hidden": True, "attributes": {"a": 1, "b": 2}, "segments": ["x"]}
        after = {"title": "", "description": "", "hidden": False, "attributes": {"a": 1}, "segments": ["y"]}

        assert emptied_fields(before, after) == ("title", "attributes")
