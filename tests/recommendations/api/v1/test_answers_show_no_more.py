"""A write's answer shows no more than was sent, unless the token may read what was there before."""

import json

import pytest
from django.test import Client

from accounts.tenancy import scope
from accounts.tokens import access_tokens, clients
from core import clock
from tests.accounts.api.test_end_user_token import ORIGIN, issue

EVENTS = "/api/v1/events"
ORDER = {
    "event_id": "order-1001",
    "user_id": "43",
    "item_id": "318",
    "type": "purchase",
    "value": 199.9,
    "context": {"city": "Graz", "coupon": "VIP-ABC"},
}
VIEW = {"event_id": "order-1001", "user_id": "42", "item_id": "1", "type": "view"}
SECRET = {"description": "not yet announced", "attributes": {"margin": 0.4}}


def _call(token, method, path, body=None, *, origin="", key=""):
    headers = {"Authorization": f"Bearer {token}"}
    headers |= {"Origin": origin} if origin else {}
    headers |= {"Idempotency-Key": key} if key else {}
    data = "" if body is None else json.dumps(body)
    return Client(raise_request_exception=False).generic(method, path, data, "application/json", headers=headers)


@pytest.fixture
def browser(cast):
    """A visitor's token, for person 42."""
    token = issue(cast.acme, "42")
    return lambda path, body, **more: _call(token, "POST", path, body, origin=ORIGIN, **more)


@pytest.fixture
def writer(cast):
    """A client with the scopes of writing alone, and tokens of it with more."""
    tenant = cast.acme.tenant
    writing = ["events:write", "catalog:write", "privacy:write"]
    with scope.tenant(tenant.pk):
        issued = clients.issue(tenant=tenant, name="w", scopes=[*writing, "catalog:read", "events:read"])

    def call(method, path, body=None, *, also=(), **more):
        token = access_tokens.issue(client=issued.client, scopes=[*writing, *also], now=clock.now())
        return _call(token, method, path, body, **more)

    return call


class TestEvents:
    def test_a_visitor_does_not_read_anothers_event_by_its_id(self, cast, browser):
        assert cast.acme.http.post(EVENTS, ORDER, format="json").status_code == 201

        answer = browser(EVENTS, VIEW)

        assert answer.status_code == 201
        assert answer.json()["user_id"] == "42"
        assert not any(word in answer.content for word in (b'"43"', b'"318"', b"199.9", b"VIP-ABC"))

    def test_a_visitor_does_not_keep_the_backends_event_away(self, cast, browser):
        assert browser(EVENTS, {**VIEW, "event_id": "order-9001", "type": "impression"}).status_code == 201

        for person in ("42", "43"):
            order = {**ORDER, "event_id": "order-9001", "user_id": person}
            assert cast.acme.http.post(EVENTS, order, format="json").status_code == 201
        stored = cast.acme.http.get(EVENTS + "?type=purchase").json()["data"]
        assert {row["user_id"] for row in stored} == {"42", "43"}

    def test_a_batch_does_not_tell_a_visitor_which_ids_there_are(self, cast, browser):
        cast.acme.http.post(EVENTS, {**ORDER, "user_id": "42"}, format="json")

        answer = browser(EVENTS + "/batch", {"events": [{**ORDER, "user_id": "42"}, VIEW]})

        assert [row["status"] for row in answer.json()["results"]] == ["created", "rejected"]
        assert b"Graz" not in answer.content

    @pytest.mark.parametrize("also", [(), ("events:read",)])
    def test_a_duplicate_is_shown_to_whoever_may_read_it(self, cast, writer, also):
        first = cast.acme.http.post(EVENTS, ORDER, format="json").json()

        answer = writer("POST", EVENTS, ORDER, also=also)

        assert answer.status_code == 200
        told = answer.json()
        assert {name: told[name] for name in ORDER} == ORDER
        assert all((told[name] == first[name]) == bool(also) for name in ("occurred_at", "received_at"))

    def test_a_visitor_is_told_no_more_of_a_duplicate_than_it_sent(self, browser):
        sent = {**VIEW, "occurred_at": "2026-03-01T08:00:00Z"}
        browser(EVENTS, sent)

        answer = browser(EVENTS, sent)

        assert answer.status_code == 200
        told = {name: value for name, value in answer.json().items() if value is not None}
        assert told == {**sent, "received_at": told["received_at"]}

    def test_a_reused_id_is_refused_without_a_word_of_the_other_event(self, cast, writer):
        cast.acme.http.post(EVENTS, ORDER, format="json")

        answer = writer("POST", EVENTS, {**VIEW, "user_id": "43"})

        assert (answer.status_code, answer.json()["code"]) == (422, "event_id_reused")
        assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [
            ("/event_id", "event_id_reused")
        ]
        assert not any(word in answer.content for word in (b"318", b"199.9", b"Graz"))

    def test_a_refused_id_gives_its_idempotency_key_back(self, cast, writer):
        cast.acme.http.post(EVENTS, ORDER, format="json")
        assert writer("POST", EVENTS, {**ORDER, "item_id": "2"}, key="k").status_code == 422

        assert writer("POST", EVENTS, {**ORDER, "event_id": "order-1002"}, key="k").status_code == 201

    def test_of_an_erased_person_nothing_is_left_to_ask_for(self, cast, writer):
        cast.acme.http.post(EVENTS, ORDER, format="json")
        assert cast.acme.http.delete("/api/v1/users/43").status_code == 200

        assert writer("POST", EVENTS, {**VIEW, "user_id": "43"}).status_code == 201


class TestIdempotencyKeys:
    def test_of_a_visitor_do_not_keep_the_backends_away(self, cast, browser):
        assert browser(EVENTS, VIEW, key="order-55").status_code == 201

        answer = cast.acme.http.post(EVENTS, ORDER, format="json", headers={"Idempotency-Key": "order-55"})

        assert answer.status_code == 201

    def test_of_the_backend_are_not_replayed_to_a_visitor(self, cast, browser):
        body = json.dumps(VIEW)
        first = cast.acme.http.generic(
            "POST", EVENTS, body, "application/json", headers={"Idempotency-Key": "k", "Origin": ORIGIN}
        )
        assert first.status_code == 201

        again = browser(EVENTS, VIEW, key="k")

        assert "Idempotent-Replayed" not in again

    def test_of_one_visitor_are_not_anothers(self, cast, browser):
        browser(EVENTS, VIEW, key="k")

        other = _call(issue(cast.acme, "43"), "POST", EVENTS, {**VIEW, "user_id": "43"}, origin=ORIGIN, key="k")

        assert other.status_code == 201

    def test_of_a_visitor_count_with_each_of_their_tokens(self, cast, browser):
        browser(EVENTS, VIEW, key="k")

        again = _call(issue(cast.acme, "42"), "POST", EVENTS, VIEW, origin=ORIGIN, key="k")

        assert again["Idempotent-Replayed"] == "true"

    @pytest.mark.parametrize(
        ("method", "path", "body", "scope_of_reading"),
        [
            ("PATCH", "/api/v1/items/a", {"title": "A"}, "catalog:read"),
            ("PUT", "/api/v1/users/ada", {"locale": "de"}, "catalog:read"),
            ("POST", EVENTS, ORDER, "events:read"),
        ],
    )
    def test_are_not_replayed_to_a_token_that_may_not_read(self, cast, writer, method, path, body, scope_of_reading):
        cast.acme.http.put("/api/v1/items/a", SECRET, format="json")
        cast.acme.http.put("/api/v1/users/ada", {"locale": "en"}, format="json")
        cast.acme.http.post(EVENTS, ORDER, format="json")
        first = writer(method, path, body, also=[scope_of_reading], key="k")
        assert first.status_code == 200

        blind, seeing = (
            writer(method, path, body, key="k"),
            writer(method, path, body, also=[scope_of_reading], key="k"),
        )

        assert (blind["Idempotent-Replayed"], blind["Idempotent-Abridged"]) == ("true", "true")
        assert set(blind.json()) == {"detail"}
        assert seeing.content == first.content


class TestCatalogue:
    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    @pytest.mark.parametrize(
        ("path", "before", "change"),
        [
            ("/api/v1/items/a", SECRET, {"title": "A"}),
            ("/api/v1/users/ada", {"attributes": {"risk": 0.9}, "segments": ["vip"]}, {"locale": "de"}),
        ],
    )
    def test_a_change_shows_the_object_to_whoever_may_read_it(self, cast, writer, method, path, before, change):
        cast.acme.http.put(path, before, format="json")

        blind = writer(method, path, change)
        seeing = writer(method, path, change, also=["catalog:read"])

        assert (blind.status_code, blind.content) == (204, b"")
        assert blind["ETag"]
        assert seeing.status_code == 200
        assert seeing.json() == cast.acme.http.get(path).json()

    def test_what_is_new_is_shown_to_whoever_sent_it(self, writer):
        answer = writer("PUT", "/api/v1/items/a", SECRET)

        assert (answer.status_code, answer.json()["description"]) == (201, SECRET["description"])


class TestMerge:
    def test_needs_what_erasing_needs(self, cast):
        for name in ("visitor-1", "42"):
            cast.acme.http.put(f"/api/v1/users/{name}", {}, format="json")
        with scope.tenant(cast.acme.tenant.pk):
            issued = clients.issue(tenant=cast.acme.tenant, name="w", scopes=["catalog:write", "privacy:write"])
        answers = {
            name: _call(
                access_tokens.issue(client=issued.client, scopes=[name], now=clock.now()),
                "POST",
                "/api/v1/users/42/merge",
                {"from": "visitor-1"},
            )
            for name in ("catalog:write", "privacy:write")
        }

        assert {name: answer.status_code for name, answer in answers.items()} == {
            "catalog:write": 403,
            "privacy:write": 200,
        }
