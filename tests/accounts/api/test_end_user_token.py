"""Browser tokens: one person, one origin, an hour at most, and no more than the backend may."""

import json

import jwt
import pytest
from django.test import Client

from accounts.models import ApiClient
from accounts.tenancy import scope, tenant_cache
from config.urls import urlpatterns
from tests.accounts import oauth

URL, ORIGIN = "/api/v1/auth/end-user-token", "https://shop.example.org"
EVENT = {"user_id": "anna", "item_id": "a", "type": "view"}


def ask(member, **body):
    return member.http.post(URL, json.dumps(body), content_type="application/json")


def issue(member, user_id="anna", origin=ORIGIN, **more):
    response = ask(member, user_id=user_id, origin=origin, **more)
    assert response.status_code == 200, response.json()
    return response.json()["access_token"]


def call(token, method="GET", path="/api/v1/users/anna/recommendations", body=None, origin=ORIGIN, **headers):
    given = {"Authorization": f"Bearer {token}", **({"Origin": origin} if origin else {}), **headers}
    http = Client(raise_request_exception=False)
    return http.generic(method, path, json.dumps(body) if body else "", "application/json", headers=given)


class TestIssue:
    def test_says_what_was_given(self, cast):
        response = ask(cast.acme, user_id="anna", origin=ORIGIN)
        body = response.json()
        claims = jwt.decode(body["access_token"], options={"verify_signature": False})

        assert response["Cache-Control"] == "no-store"
        assert (body["expires_in"], body["scope"]) == (900, "events:write recommendations:read")
        assert (claims["end_user"], claims["origin"]) == ("anna", ORIGIN)
        assert claims["client_id"] == cast.acme.admin.client.client_id

    @pytest.mark.parametrize(
        ("changes", "pointer"),
        [
            ({"user_id": "a/similar"}, "/user_id"),
            ({"user_id": ".."}, "/user_id"),
            ({"user_id": "anna\n"}, "/user_id"),
            ({"user_id": " anna"}, "/user_id"),
            ({"user_id": ""}, "/user_id"),
            ({"origin": "*"}, "/origin"),
            ({"origin": "null"}, "/origin"),
            ({"origin": "https://shop.example.org/"}, "/origin"),
            ({"origin": "shop.example.org"}, "/origin"),
            ({"scope": "catalog:read"}, "/scope"),
            ({"scope": "tokens:issue"}, "/scope"),
            ({"expires_in": 3601}, "/expires_in"),
            ({"expires_in": 59}, "/expires_in"),
            ({"expires_in": "60"}, "/expires_in"),
            ({"tenant": "globex"}, "/tenant"),
        ],
    )
    def test_refuses_what_is_wrong_and_says_where(self, cast, changes, pointer):
        response = ask(cast.acme, **{"user_id": "anna", "origin": ORIGIN, **changes})

        assert response.status_code == 422
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]

    def test_in_production_refuses_origins_that_anybody_can_have(self, cast, settings):
        settings.PRODUCTION = True

        assert ask(cast.acme, user_id="anna", origin="http://localhost:3000").status_code == 422

    def test_needs_its_scope(self, cast):
        body = json.dumps({"user_id": "anna", "origin": ORIGIN})
        response = cast.acme.reader.http.post(URL, body, content_type="application/json")

        assert response.status_code == 403
        assert "tokens:issue" in response.json()["detail"]

    def test_gives_no_more_than_the_caller_has(self, cast):
        from accounts.tokens import access_tokens, clients
        from core import clock

        with scope.tenant(cast.acme.tenant.pk):
            issued = clients.issue(tenant=cast.acme.tenant, name="backend", scopes=["tokens:issue"])
        for scopes, status in ((["tokens:issue"], 403), (["tokens:issue", "recommendations:read"], 200)):
            token = access_tokens.issue(client=issued.client, scopes=scopes, now=clock.now())
            response = call(token, "POST", URL, {"user_id": "anna", "origin": ORIGIN}, origin="")
            assert response.status_code == status
        assert response.json()["scope"] == "recommendations:read"


class TestUse:
    def test_reads_that_persons_list_and_sends_that_persons_events(self, cast):
        token = issue(cast.acme)

        assert call(token).status_code == 200
        assert call(token, "HEAD").status_code == 200
        assert call(token, "POST", "/api/v1/events", EVENT).status_code == 201
        keyed = {"Idempotency-Key": "k1"}
        assert call(token, "POST", "/api/v1/events", {**EVENT, "event_id": "1"}, **keyed).status_code == 201
        repeated = call(token, "POST", "/api/v1/events", {**EVENT, "event_id": "1"}, **keyed)
        assert repeated["Idempotent-Replayed"] == "true"
        batch = call(token, "POST", "/api/v1/events/batch", {"events": [EVENT, {**EVENT, "type": "cart"}]})
        assert batch.status_code == 200

    def test_of_another_person_is_refused(self, cast):
        token, other = issue(cast.acme), {**EVENT, "user_id": "bert"}

        for refused in (
            call(token, path="/api/v1/users/bert/recommendations"),
            call(token, "POST", "/api/v1/events", other),
            call(token, "POST", "/api/v1/events", {"item_id": "a", "type": "view"}),
            call(token, "POST", "/api/v1/events", {**EVENT, "user_id": ["anna"]}),
            call(token, "POST", "/api/v1/events/batch", {"events": [EVENT, other]}),
            call(token, "POST", "/api/v1/events/batch", {"events": [EVENT, "anna"]}),
            call(token, "POST", "/api/v1/events/batch", {"events": {"user_id": "anna"}}),
        ):
            assert refused.status_code == 403, refused.content
            assert refused["Content-Type"] == "application/problem+json"

    @pytest.mark.parametrize("origin", ["", "null", "https://evil.example.org", ORIGIN + ":443", ORIGIN.upper()])
    def test_from_another_origin_is_refused(self, cast, origin):
        assert call(issue(cast.acme), origin=origin).status_code == 403

    def test_without_the_scope_is_refused(self, cast):
        token = issue(cast.acme, scope="events:write")

        assert [call(token).status_code, call(token, "POST", "/api/v1/events", EVENT).status_code] == [403, 201]

    def test_ends_with_its_client(self, cast):
        token = issue(cast.acme)
        with scope.tenant(cast.acme.tenant.pk):
            ApiClient.objects.filter(pk=cast.acme.admin.client.pk).update(active=False)
        tenant_cache.load()

        assert call(token).status_code == 401

    def test_a_body_that_is_no_json_is_told_so(self, cast):
        token = issue(cast.acme)
        http = Client(raise_request_exception=False)
        headers = {"Authorization": f"Bearer {token}", "Origin": ORIGIN}

        assert http.post("/api/v1/events", "{", "application/json", headers=headers).status_code == 400


def routes(patterns, prefix=""):
    for pattern in patterns:
        if hasattr(pattern, "url_patterns"):
            yield from routes(pattern.url_patterns, prefix + str(pattern.pattern))
        elif prefix.startswith("api/v1/"):
            yield prefix + str(pattern.pattern), getattr(pattern.callback, "cls", None)


def test_every_other_operation_is_closed_to_them(cast):
    """By walking the routes: only these say where the person stands."""
    views = [view for _, view in routes(urlpatterns) if view is not None]
    open_ = {(view.__name__, method) for view in views for method in getattr(view, "browser_users", {})}
    token = issue(cast.acme)

    assert open_ == {
        ("RecommendationsView", "GET"),
        ("RankView", "POST"),
        ("EventsView", "POST"),
        ("EventsBatchView", "POST"),
    }
    assert len(views) > 15
    for path in ("/api/v1/items/a/similar", "/api/v1/recommendations/popular", "/api/v1/users/anna", "/api/v1/events"):
        assert call(token, path=path).status_code == 403
    assert call(token, "POST", URL, {"user_id": "bert", "origin": ORIGIN}).status_code == 403

    def test_ends_with_the_token_that_issued_it(self, cast):
        issuer = ask_for_a_token(cast.acme.admin)
        body = {"user_id": "anna", "origin": ORIGIN, "expires_in": 3600}
        answer = call(issuer, "POST", URL, body, origin="").json()
        claims, own = (jwt.decode(raw, options={"verify_signature": False}) for raw in (answer["access_token"], issuer))

        assert claims["issuer_jti"] == own["jti"]
        assert claims["exp"] <= own["exp"]
        assert 890 <= answer["expires_in"] <= 900

    def test_is_revoked_with_the_token_that_issued_it(self, cast):
        issuer = ask_for_a_token(cast.acme.admin)
        body = {"user_id": "anna", "origin": ORIGIN}
        token, other = call(issuer, "POST", URL, body, origin="").json()["access_token"], issue(cast.acme)
        assert call(token).status_code == 200

        oauth.ask(cast.acme.admin, oauth.REVOKE, token=issuer)
        tenant_cache.load()

        assert [call(token).status_code, call(other).status_code] == [401, 200]
        assert call(token, "POST", "/api/v1/events", EVENT).status_code == 401

    @pytest.mark.parametrize("events", [5, -1.5, True, None, "x", "", [5], [[]], [None], {"user_id": "anna"}, {}, []])
    def test_events_of_a_wrong_type_are_refused(self, cast, events):
        answer = call(issue(cast.acme), "POST", "/api/v1/events/batch", {"events": events})

        assert answer.status_code == 403
        assert answer["Content-Type"] == "application/problem+json"


def ask_for_a_token(caller):
    return oauth.ask(caller, grant_type="client_credentials").json()["access_token"]
