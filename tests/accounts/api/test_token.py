"""The token endpoint, by RFC 6749."""

import base64
import json
from datetime import timedelta
from urllib.parse import quote_plus, urlencode

import pytest
from django.test import Client

from accounts.models import ApiClient, Tenant
from accounts.tenancy import scope
from accounts.tokens import access_tokens, clients
from core import clock
from tests.outages import redis_away

URL = "/api/v1/auth/token"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


@pytest.fixture
def http():
    return Client(raise_request_exception=False)


def credentials(caller, **more):
    return {
        "grant_type": "client_credentials",
        "client_id": caller.client.client_id,
        "client_secret": caller.secret,
        **more,
    }


def basic(client_id, secret):
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}


def refused(response, status, error):
    """A problem that is also an error of RFC 6749, section 5.2."""
    body = response.json()
    assert (response.status_code, body["error"]) == (status, error), body
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "no-store"
    assert body["error_description"] == body["detail"]
    assert body["request_id"] == response["X-Request-ID"]
    assert "access_token" not in body
    return body


def update(caller, **fields):
    with scope.tenant(caller.client.tenant_id):
        ApiClient.objects.filter(pk=caller.client.pk).update(**fields)


class TestGrant:
    @pytest.mark.parametrize("content_type", [FORM, JSON])
    def test_by_body(self, cast, http, content_type):
        body = credentials(cast.acme.reader)
        response = http.post(
            URL, urlencode(body) if content_type == FORM else json.dumps(body), content_type=content_type
        )

        self._is_a_token(response, cast)

    def test_by_http_basic(self, cast, http):
        headers = basic(quote_plus(cast.acme.reader.client.client_id), quote_plus(cast.acme.reader.secret))
        response = http.post(URL, "grant_type=client_credentials", content_type=FORM, headers=headers)

        self._is_a_token(response, cast)

    def _is_a_token(self, response, cast):
        body = response.json()
        assert response.status_code == 200, body
        assert (response["Cache-Control"], response["Pragma"]) == ("no-store", "no-cache")
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 900)
        assert body["scope"].split() == sorted(cast.acme.reader.client.scopes)
        principal = access_tokens.verify(body["access_token"], now=clock.now())
        assert principal.scopes == set(cast.acme.reader.client.scopes)

    def test_works_at_once(self, cast, http):
        body = http.post(URL, json.dumps(credentials(cast.acme.reader)), content_type=JSON).json()

        response = http.get("/api/v1/items", headers={"Authorization": f"Bearer {body['access_token']}"})

        assert response.status_code == 200

    def test_of_fewer_scopes_than_the_client_has(self, cast, http):
        asked = credentials(cast.acme.admin, scope="catalog:read catalog:read events:read")
        body = http.post(URL, json.dumps(asked), content_type=JSON).json()

        assert body["scope"] == "catalog:read events:read"
        response = http.get(
            "/api/v1/users/u/recommendations", headers={"Authorization": f"Bearer {body['access_token']}"}
        )
        assert response.status_code == 403
        assert "recommendations:read" in response.json()["detail"]

    def test_unknown_parameters_are_ignored(self, cast, http):
        response = http.post(URL, json.dumps(credentials(cast.acme.reader, audience="x")), content_type=JSON)

        assert response.status_code == 200

    def test_a_client_that_ends_soon_gets_a_shorter_token(self, cast, http):
        update(cast.acme.reader, expires_at=clock.now() + timedelta(seconds=60))

        body = http.post(URL, json.dumps(credentials(cast.acme.reader)), content_type=JSON).json()

        assert 57 <= body["expires_in"] <= 60

    def test_its_use_is_noted(self, cast, http):
        http.post(URL, json.dumps(credentials(cast.acme.reader)), content_type=JSON)

        with scope.tenant(cast.acme.tenant.pk):
            assert ApiClient.objects.get(pk=cast.acme.reader.client.pk).last_used_at is not None


class TestRefusal:
    @pytest.mark.parametrize(
        ("changes", "status", "error"),
        [
            ({"grant_type": "password"}, 400, "unsupported_grant_type"),
            ({"grant_type": ""}, 400, "invalid_request"),
            ({"grant_type": ["client_credentials"]}, 400, "invalid_request"),
            ({"client_secret": "wrong"}, 401, "invalid_client"),
            ({"client_secret": ""}, 401, "invalid_client"),
            ({"client_secret": "\ud800"}, 401, "invalid_client"),
            ({"client_secret": None}, 400, "invalid_request"),
            ({"client_id": "dc_nobody"}, 401, "invalid_client"),
            ({"client_id": ""}, 401, "invalid_client"),
            ({"client_id": "\0"}, 401, "invalid_client"),
            ({"client_id": "\ud800"}, 401, "invalid_client"),
            ({"client_id": "ü" * 2_000}, 401, "invalid_client"),
            ({"client_id": 7}, 400, "invalid_request"),
            ({"scope": "catalog:write"}, 400, "invalid_scope"),
            ({"scope": "catalog:read nonsense"}, 400, "invalid_scope"),
            ({"scope": '"\\\ud800'}, 400, "invalid_scope"),
        ],
    )
    def test_of_a_parameter(self, cast, http, changes, status, error):
        response = http.post(URL, json.dumps(credentials(cast.acme.reader, **changes)), content_type=JSON)

        refused(response, status, error)

    @pytest.mark.parametrize("body", ["[]", "1", '"text"', "null", "[1, 2]"])
    def test_of_a_body_that_is_no_object(self, http, body):
        refused(http.post(URL, body, content_type=JSON), 400, "invalid_request")

    @pytest.mark.parametrize("body", ["{", "", "[" * 10_000])
    def test_of_a_body_that_is_no_json(self, http, body):
        refused(http.post(URL, body, content_type=JSON), 400, "invalid_request")

    def test_of_another_media_type(self, http):
        refused(http.post(URL, "<xml/>", content_type="text/xml"), 415, "invalid_request")

    def test_of_no_body(self, http):
        refused(http.post(URL, content_type=FORM), 400, "invalid_request")

    def test_of_a_parameter_given_twice(self, cast, http):
        body = urlencode(credentials(cast.acme.reader)) + "&client_id=other"

        refused(http.post(URL, body, content_type=FORM), 400, "invalid_request")

    def test_of_two_ways_to_say_who(self, cast, http):
        headers = basic(cast.acme.reader.client.client_id, cast.acme.reader.secret)
        response = http.post(URL, json.dumps(credentials(cast.acme.reader)), content_type=JSON, headers=headers)

        refused(response, 400, "invalid_request")

    @pytest.mark.parametrize(
        "encoded", ["%%%", "", base64.b64encode(b"\xff\xfe").decode(), base64.b64encode(b"a").decode()]
    )
    def test_of_basic_credentials_that_are_none(self, db, http, encoded):
        response = http.post(
            URL, "grant_type=client_credentials", content_type=FORM, headers={"Authorization": f"Basic {encoded}"}
        )

        refused(response, 401, "invalid_client")
        assert response["WWW-Authenticate"].startswith("Basic ")

    @pytest.mark.parametrize(
        "fields", [{"active": False}, {"expires_at": clock.now() - timedelta(seconds=1)}], ids=["inactive", "expired"]
    )
    def test_of_a_client_that_ended(self, cast, http, fields):
        update(cast.acme.reader, **fields)

        response = http.post(URL, json.dumps(credentials(cast.acme.reader)), content_type=JSON)

        wrong = http.post(URL, json.dumps(credentials(cast.acme.admin, client_secret="x")), content_type=JSON)
        assert refused(response, 401, "invalid_client")["detail"] == refused(wrong, 401, "invalid_client")["detail"]

    def test_of_an_inactive_tenant(self, cast, http):
        with scope.tenant(cast.acme.tenant.pk):
            Tenant.objects.filter(pk=cast.acme.tenant.pk).update(active=False)

        refused(http.post(URL, json.dumps(credentials(cast.acme.reader)), content_type=JSON), 401, "invalid_client")

    def test_a_renewed_secret_stops_the_old_one(self, cast, http):
        with scope.tenant(cast.acme.tenant.pk):
            renewed = clients.renew_secret(client=cast.acme.reader.client, now=clock.now())

        refused(http.post(URL, json.dumps(credentials(cast.acme.reader)), content_type=JSON), 401, "invalid_client")
        body = credentials(cast.acme.reader, client_secret=renewed.secret)
        assert http.post(URL, json.dumps(body), content_type=JSON).status_code == 200


class TestRate:
    @pytest.fixture(autouse=True)
    def _two_a_minute(self, settings, redis_server):
        settings.ADDRESS_RATES = {**settings.ADDRESS_RATES, "token": "2/m"}

    def ask(self, http, address="192.0.2.1", **headers):
        body = json.dumps({"grant_type": "x"})
        return http.post(URL, body, content_type=JSON, REMOTE_ADDR=address, headers=headers)

    def test_is_by_address_and_says_when(self, http):
        assert [self.ask(http).status_code for _ in range(3)] == [400, 400, 429]

        response = self.ask(http)

        assert refused(response, 429, "slow_down")["code"] == "rate_limited"
        assert 1 <= int(response["Retry-After"]) <= 60
        assert self.ask(http, "192.0.2.2").status_code == 400

    def test_a_caller_cannot_make_up_an_address(self, http):
        codes = [self.ask(http, **{"X-Forwarded-For": f"198.51.100.{number}"}).status_code for number in range(3)]

        assert codes == [400, 400, 429]

    def test_behind_a_trusted_proxy_each_caller_has_its_own(self, http, settings):
        settings.TRUSTED_PROXIES = 1
        codes = [
            self.ask(http, **{"X-Forwarded-For": f"9.9.9.9, 198.51.100.{number}"}).status_code for number in range(3)
        ]
        forged = [
            self.ask(http, **{"X-Forwarded-For": f"9.9.9.{number}, 203.0.113.1"}).status_code for number in range(3)
        ]

        assert (codes, forged) == ([400, 400, 400], [400, 400, 429])

    def test_behind_a_unix_socket_it_is_one_for_all_and_no_error(self, http):
        assert [self.ask(http, "").status_code for _ in range(3)] == [400, 400, 429]

    def test_without_redis_nobody_is_unlimited_and_nobody_shut_out(self, http, settings):
        settings.ADDRESS_RATES = {**settings.ADDRESS_RATES, "token": "60/m"}
        settings.RATE_LIMIT_PROCESSES = 2
        with redis_away():
            codes = [self.ask(http).status_code for _ in range(10)]
            other = self.ask(http, "192.0.2.2")

        # Half of its share, a fifth of that at once: 60 / 2 / 2 / 5.
        assert codes == [400] * 3 + [429] * 7
        assert other.status_code == 400
