"""Imports that are there: their refused rows, their end, and who may see them."""

from accounts.tenancy import scope
from accounts.tokens import access_tokens, clients
from core import clock
from tests.recommendations.api.v1.importing import run, send


class TestErrors:
    def test_walks_through_all_of_them(self, cast):
        started = send(cast.acme.http, "item_id\n" + "a\tb\nok\n" * 5)
        run(cast.acme, started)
        url = started["Location"] + "/errors"

        first = cast.acme.http.get(url + "?limit=3")
        second = cast.acme.http.get(f"{url}?limit=3&cursor={first.json()['next']}")

        found = first.json()["data"] + second.json()["data"]
        assert [row["line"] for row in found] == [2, 4, 6, 8, 10]
        assert (found[0]["field"], found[0]["code"]) == ("item_id", "bad_character")
        assert 'rel="next"' in first["Link"]
        assert second.json()["next"] is None
        assert cast.acme.http.get(url, headers={"If-None-Match": cast.acme.http.get(url)["ETag"]}).status_code == 304

    def test_a_cursor_is_good_for_its_import_only(self, cast):
        one, two = (send(cast.acme.http, "item_id\na\tb\nc\td\n") for _ in range(2))
        run(cast.acme, one)
        cursor = cast.acme.http.get(one["Location"] + "/errors?limit=1").json()["next"]

        assert cast.acme.http.get(f"{two['Location']}/errors?limit=1&cursor={cursor}").status_code == 422


class TestCancel:
    def test_stops_it_and_once_more_does_no_harm(self, cast):
        url = send(cast.acme.http)["Location"]

        answers = [cast.acme.http.post(url + "/cancel") for _ in range(2)]

        assert [(answer.status_code, answer.json()["status"]) for answer in answers] == [(200, "cancelled")] * 2

    def test_is_refused_when_it_has_ended(self, cast):
        started = send(cast.acme.http)
        run(cast.acme, started)

        refused = cast.acme.http.post(started["Location"] + "/cancel")

        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


class TestAccess:
    def test_stranger_gets_404(self, cast):
        url = send(cast.acme.http)["Location"]

        assert cast.globex.http.get(url).status_code == 404
        assert cast.globex.http.get(url + "/errors").status_code == 404
        assert cast.globex.http.post(url + "/cancel").status_code == 404
        assert cast.acme.http.get(url).json()["status"] == "waiting"

    def test_needs_a_token(self, cast):
        url = send(cast.acme.http)["Location"]

        assert send(cast.anonymous).status_code == 401
        assert {cast.anonymous.get(each).status_code for each in (url, url + "/errors")} == {401}
        assert cast.anonymous.post(url + "/cancel").status_code == 401

    def test_each_kind_needs_the_scope_of_its_rows(self, cast):
        events = with_scopes(cast.acme, "events:write", "events:read")
        items = with_scopes(cast.acme, "catalog:write", "catalog:read")
        of_items, of_events = send(items), send(events, "user_id,item_id,type\n", "kind=events")

        assert (of_items.status_code, of_events.status_code) == (202, 202)
        assert (send(events).status_code, send(items, query="kind=events").status_code) == (403, 403)
        assert (events.get(of_events["Location"]).status_code, events.get(of_items["Location"]).status_code) == (
            200,
            403,
        )
        assert (items.get(of_items["Location"]).status_code, items.get(of_events["Location"]).status_code) == (200, 403)
        assert items.post(of_events["Location"] + "/cancel").status_code == 403
        assert events.post(of_events["Location"] + "/cancel").status_code == 200
        assert send(cast.acme.reader.http).status_code == 403


def with_scopes(member, *scopes):
    from rest_framework.test import APIClient

    http = APIClient()
    with scope.tenant(member.tenant.pk):
        issued = clients.issue(tenant=member.tenant, name="some", scopes=list(scopes))
        token = access_tokens.issue(client=issued.client, scopes=list(scopes), now=clock.now())
    http.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return http
