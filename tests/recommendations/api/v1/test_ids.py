"""Ids of any script and any punctuation, through every operation that takes one."""

import json
import os

import pytest
from django.urls import reverse

from accounts.models import User
from accounts.tenancy import scope
from core.external_ids import path_segment
from recommendations.cache import keys
from recommendations.models import EndUser, Item
from tests.core import web_process
from tests.ids import REAL, drawn
from tests.recommendations import lists
from tests.size import sized, some

MANY = sized(short=100, long=2000)
# Each of these is a dozen requests or more: `make test` has every fourth.
REAL_IDS = some(REAL)

ITEMS, USERS, EVENTS = "/api/v1/items", "/api/v1/users", "/api/v1/events"


def literal(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def everything_works(http, tenant, name):
    """PUT, GET, an event, the lists' filter, export and erasure, for an item and a person of this name."""
    segment = path_segment(name)
    item, person = f"{ITEMS}/{segment}", f"{USERS}/{segment}"
    made = http.put(item, {"title": "t"}, format="json")
    assert (made.status_code, made.json()["item_id"]) == (201, name)
    assert made["Location"] == item
    assert http.get(made["Location"]).json()["item_id"] == name
    assert http.get(item, headers={"If-None-Match": made["ETag"]}).status_code == 304
    assert http.patch(person, {}, format="json").status_code == 404
    event = {"user_id": name, "item_id": name, "type": "view"}
    assert http.post(EVENTS, event, format="json").status_code == 201
    assert http.put(person, {"segments": ["s"]}, format="json").status_code == 200
    found = http.get(EVENTS, {"user_id": name}).json()["data"]
    assert [(row["user_id"], row["item_id"]) for row in found] == [(name, name)]
    parameters = {"filter": f"item_id = {literal(name)} and user.user_id = {literal(name)}"}
    shown = http.get(f"{person}/recommendations", parameters)
    assert [entry["item_id"] for entry in shown.json()["items"]] == [name], shown.content
    assert shown.json()["user_id"] == name
    assert shown["ETag"].isascii()
    assert http.get(f"{person}/recommendations", headers={"If-None-Match": shown["ETag"]}).status_code in (200, 304)
    without = http.get(f"{person}/recommendations", {"exclude": name, "filter": f"item_id = {literal(name)}"})
    assert without.json()["items"] == []
    assert http.get(f"{item}/similar").status_code == 200
    assert http.get(f"{item}/frequently-bought-together").status_code == 200
    assert http.get(f"{person}/related").status_code == 200
    document = json.loads(b"".join(http.get(f"{person}/export").streaming_content))
    assert document["user"]["user_id"] == name
    assert [row["item_id"] for row in document["events"]] == [name]
    tag = http.get(person)["ETag"]
    assert http.delete(person, headers={"If-Match": tag}).status_code == 200
    assert http.get(person).status_code == 404
    assert http.delete(item).status_code == 204
    assert http.get(item).status_code == 404


class TestAnyId:
    @pytest.mark.parametrize("name", REAL_IDS)
    def test_goes_through_every_operation(self, cast, name):
        everything_works(cast.acme.http, cast.acme.tenant, name)

    @pytest.mark.slow
    @pytest.mark.timeout(600)
    def test_many_of_all_of_unicode_go_through_every_operation(self, cast):
        for name in drawn(MANY):
            everything_works(cast.acme.http, cast.acme.tenant, name)

    def test_walks_through_lists_of_them(self, cast):
        names = drawn(2000)
        for kind, key, url in (("items", "item_id", ITEMS), ("users", "user_id", USERS)):
            for start in (0, 1000):
                rows = [{key: name} for name in names[start : start + 1000]]
                answer = cast.acme.http.post(f"{url}/batch", {kind: rows}, format="json").json()
                assert answer["summary"]["created"] == 1000
        events = [{"user_id": name, "item_id": name, "type": "view"} for name in names[:1000]]
        answer = cast.acme.http.post(f"{EVENTS}/batch", {"events": events}, format="json").json()
        assert answer["summary"]["created"] == 1000

        for key, url in (("item_id", ITEMS), ("user_id", USERS)):
            seen: list[str] = []
            cursor: dict[str, str] = {}
            while True:
                page = cast.acme.http.get(url, {"limit": "97", **cursor})
                seen += [row[key] for row in page.json()["data"]]
                if page.json()["next"] is None:
                    break
                assert len(page.json()["next"]) <= 2048
                assert page["Link"].isascii()
                cursor = {"cursor": page.json()["next"]}
            assert sorted(seen) == sorted(names)

    def test_the_longest_cursor_is_good(self, cast):
        names = [character * 128 for character in ("\U0010fffd", "𝔘", "\\", '"')]
        rows = [{"item_id": name} for name in names]
        cast.acme.http.post(f"{ITEMS}/batch", {"items": rows}, format="json")
        since = {"limit": "1", "updated_since": "2020-01-01T00:00:00Z"}

        for query in ({"limit": "1"}, since):
            seen: list[str] = []
            cursor: dict[str, str] = {}
            for _ in names:
                page = cast.acme.http.get(ITEMS, {**query, **cursor}).json()
                seen += [row["item_id"] for row in page["data"]]
                cursor = {"cursor": page["next"] or ""}
            assert sorted(seen) == sorted(names)

    def test_is_not_another_one_that_looks_alike(self, cast):
        names = ["é", "e\u0301", "a/b", "a%2Fb", "a%252Fb", "A", "a", "a\u200bb", "ab", "a+b", "a b", "x", "x/"]
        for name in names:
            made = cast.acme.http.put(f"{USERS}/{path_segment(name)}", {"attributes": {"is": name}}, format="json")
            assert made.status_code == 201

        for name in names:
            read = cast.acme.http.get(f"{USERS}/{path_segment(name)}").json()
            assert (read["user_id"], read["attributes"]) == (name, {"is": name})

    def test_is_found_whether_the_server_decodes_the_path_or_not(self, cast):
        """A decoded path is what WSGI servers hand over."""
        name = "gid://shopify/Product/1"
        cast.acme.http.put(f"{ITEMS}/{name}", {"title": "t"}, format="json")

        assert cast.acme.http.get(f"{ITEMS}/{path_segment(name)}").json()["item_id"] == name

    @pytest.mark.parametrize("name", ["a/similar", "a/recommendations", "x/export"])
    def test_that_ends_like_another_resource_is_refused(self, cast, name):
        sent = cast.acme.http.post(f"{ITEMS}/batch", {"items": [{"item_id": name}]}, format="json").json()

        assert sent["results"][0]["status"] == "rejected"
        assert sent["results"][0]["errors"][0]["code"] == "reserved_id"

    def test_in_a_query_that_is_no_utf8_is_refused(self, cast):
        answer = cast.acme.http.get(f"{EVENTS}?user_id=%FF")

        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")

    @pytest.mark.parametrize("name", ["a%0Ab", "a%00b", "a%C2%85b", "%20a", "a%C2%A0"])
    def test_with_control_characters_or_outer_white_space_is_told_why(self, cast, name):
        answer = cast.acme.http.put(f"{USERS}/{name}", {}, format="json")

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["code"] in ("bad_character", "surrounding_space")

    def test_of_a_batch_of_lists_and_of_a_visit(self, cast):
        lists.publish(cast.acme.tenant, people={name: ["a/b", "ж|1"] for name in REAL[:5]}, items=["a/b", "ж|1"])
        body = {"user_ids": REAL[:5], "exclude": ["ж|1"]}

        answers = cast.acme.http.post("/api/v1/recommendations/batch", body, format="json").json()["data"]

        assert [answer["user_id"] for answer in answers] == REAL[:5]
        assert {entry["item_id"] for answer in answers for entry in answer["items"]} == {"a/b"}
        visit = {"events": [{"item_id": "a/b"}, {"item_id": "ж|1"}]}
        assert cast.acme.http.post("/api/v1/recommendations/session", visit, format="json").status_code == 200

    def test_of_a_browsers_token(self, cast):
        name = "auth0|5f7c/用户"
        asked = {"user_id": name, "origin": "https://shop.example.org"}

        issued = cast.acme.http.post("/api/v1/auth/end-user-token", asked, format="json")

        assert issued.status_code == 200, issued.content
        headers = {
            "Authorization": f"Bearer {issued.json()['access_token']}",
            "Origin": "https://shop.example.org",
        }
        own = cast.anonymous.get(f"{USERS}/{path_segment(name)}/recommendations", headers=headers)
        other = cast.anonymous.get(f"{USERS}/{path_segment(name + '2')}/recommendations", headers=headers)
        assert (own.status_code, other.status_code) == (200, 403)


class TestKeys:
    @pytest.mark.parametrize("name", [*REAL, "x:y", "a:b:c", "}:l:home:bob"])
    def test_lead_back_to_whose_they_are(self, name):
        assert keys.owner(keys.user_list(7, "home", name)) == (7, name)

    def test_are_not_those_of_somebody_else(self):
        names = [*REAL, "x:y", "y"]
        made = {keys.user_list(1, place, name) for place in ("x", "home") for name in names}

        assert len(made) == 2 * len(names)


class TestAdmin:
    @pytest.mark.parametrize("name", REAL_IDS)
    def test_finds_people_and_items_by_it(self, cast, client, name):
        client.force_login(User.objects.create_superuser("root"))
        for kind, url in (("item", ITEMS), ("enduser", USERS)):
            cast.acme.http.put(f"{url}/{path_segment(name)}", {}, format="json")
            cast.acme.http.put(f"{url}/another", {}, format="json")
            found = client.get(reverse(f"admin:recommendations_{kind}_changelist"), {"q": name})

            assert found.status_code == 200
            (row,) = found.context["cl"].result_list
            assert name in (getattr(row, "item_id", ""), getattr(row, "user_id", ""))
            assert client.get(reverse(f"admin:recommendations_{kind}_change", args=[row.pk])).status_code == 200


class TestIrreversible:
    @pytest.mark.parametrize("name", ["null", "undefined", "[object Object]", "{{user_id}}"])
    def test_erasing_and_merging_what_looks_like_no_id_is_refused(self, cast, name):
        segment = path_segment(name)
        for person in (segment, "bob"):
            assert cast.acme.http.put(f"{USERS}/{person}", {}, format="json").status_code == 201

        answers = [
            cast.acme.http.delete(f"{USERS}/{segment}"),
            cast.acme.http.delete(f"{USERS}/{segment}", headers={"If-Match": "*"}),
            cast.acme.http.post(f"{USERS}/{segment}/merge", {"from": "bob"}, format="json"),
            cast.acme.http.post(f"{USERS}/bob/merge", {"from": name}, format="json"),
        ]

        assert [answer.status_code for answer in answers] == [422] * 4
        assert {answer.json()["errors"][0]["code"] for answer in answers} == {"suspicious_id"}
        with scope.tenant(cast.acme.tenant.pk):
            assert EndUser.objects.count() == 2

    def test_who_names_the_version_erases_them_all_the_same(self, cast):
        made = cast.acme.http.put(f"{USERS}/null", {}, format="json")

        answer = cast.acme.http.delete(f"{USERS}/null", headers={"If-Match": made["ETag"]})

        assert answer.status_code == 200


@pytest.mark.journey
class TestWebProcess:
    @pytest.mark.slow
    def test_ids_travel_percent_encoded(self, cast, committed_db, tmp_path):
        token = cast.acme.admin.token
        with web_process.serving(tmp_path, WEB_CONCURRENCY="1") as web:
            for name in drawn(60 if "CI" not in os.environ else 200):
                segment = path_segment(name)
                for url in (f"{ITEMS}/{segment}", f"{USERS}/{segment}"):
                    sent = {"Content_Type": "application/json"}
                    made = web.ask("PUT", url, token=token, body=b"{}", **sent)
                    assert (made.status, made.headers["location"]) == (201, url), (name, made.body)
                    assert name in web.ask("GET", url, token=token).json().values()
                shown = web.ask("GET", f"{USERS}/{segment}/recommendations", token=token)
                assert (shown.status, shown.json()["user_id"]) == (200, name)
                assert web.ask("GET", f"{ITEMS}/{segment}/similar", token=token).status == 200
            for path in (f"{USERS}/%FF", f"{USERS}/Jos%E9/recommendations"):
                answer = web.ask("GET", path, token=token)
                assert (answer.status, answer.json()["code"]) == (400, "bad_request")
        with scope.tenant(cast.acme.tenant.pk):
            assert Item.objects.count() == EndUser.objects.count() > 50
