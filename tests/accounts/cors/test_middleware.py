"""CORS: preflights and readable responses, by origin."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.cors import origins
from accounts.models import Tenant
from accounts.tenancy import scope, tenant_cache
from config import env
from core.principal import Principal

ACME, GLOBEX, ANY = "https://shop.acme.example.org", "https://globex.example.org:8443", "https://console.example.net"
ITEMS = "/api/v1/items"
ALLOW, VARY = "Access-Control-Allow-Origin", "Vary"
# Near misses of ACME; none is on a list.
STRANGERS = [
    "null",
    "NULL",
    "*",
    "http://shop.acme.example.org",
    "HTTPS://shop.acme.example.org",
    "https://SHOP.acme.example.org",
    "https://shop.acme.example.ORG",
    "https://shop.acme.example.org:443",
    "https://shop.acme.example.org:8443",
    "https://shop.acme.example.org:",
    "https://shop.acme.example.org/",
    "https://shop.acme.example.org/path",
    "https://shop.acme.example.org?x",
    "https://shop.acme.example.org#x",
    "https://user@shop.acme.example.org",
    "https://shop.acme.example.org@evil.example.net",
    "https://shop.acme.example.org.evil.example.net",
    "https://evil-shop.acme.example.org",
    "https://evil.shop.acme.example.org",
    "https://acme.example.org",
    "https://shop-acme.example.org",
    "https://shop.acme.example.or",
    "https://shop.acme.example.org.",
    "https://shop.acme.example.orgx",
    "https://sh\u043ep.acme.example.org",
    "https://shop\uff0eacme.example.org",
    "https://globex.example.org",
    "https://globex.example.org:8444",
    "https://localhost",
    "https://[::1]",
    "file://",
    "https://",
    "shop.acme.example.org",
    f"{ACME} {ACME}",
    f"{ACME}, {GLOBEX}",
]


@pytest.fixture(autouse=True)
def _origins(cast, settings):
    settings.CORS_ALLOWED_ORIGINS = [ANY]
    for member, origin in ((cast.acme, ACME), (cast.globex, GLOBEX)):
        with scope.tenant(member.tenant.pk):
            Tenant.objects.update(allowed_origins=[origin])
    tenant_cache.load()


def preflight(http, origin, path=ITEMS):
    return http.options(path, headers={"Origin": origin, "Access-Control-Request-Method": "GET"})


def test_an_origin_that_is_not_listed_is_never_echoed(cast):
    for origin in STRANGERS:
        sent = origin.encode().decode("latin-1")  # as WSGI hands it over
        answers = [
            preflight(cast.anonymous, sent),
            cast.acme.http.get(ITEMS, headers={"Origin": sent}),
            cast.acme.http.get(f"{ITEMS}/none", headers={"Origin": sent}),
            cast.anonymous.get(ITEMS, headers={"Origin": sent}),
            cast.anonymous.get("/api/v1/nothing", headers={"Origin": sent}),
            cast.anonymous.get("/api/v1/auth/token", headers={"Origin": sent}),
        ]

        for answer in answers:
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")], origin
            assert "origin" in answer[VARY].lower()


class TestPreflight:
    @pytest.mark.parametrize("origin", [ACME, GLOBEX, ANY])
    def test_is_answered_for_every_listed_origin(self, cast, origin):
        answer = preflight(cast.anonymous, origin)

        assert (answer.status_code, answer[ALLOW]) == (200, origin)
        assert "GET" in answer["Access-Control-Allow-Methods"]
        assert int(answer["Access-Control-Max-Age"]) <= 600
        assert "Access-Control-Allow-Credentials" not in answer
        assert "access-control-request-method" in answer[VARY].lower()

    @pytest.mark.parametrize(
        "name",
        ["Authorization", "Idempotency-Key", "If-None-Match", "traceparent", "tracestate", "baggage", "sentry-trace"],
    )
    def test_allows_what_pages_send_with_a_request_and_what_tracing_adds(self, cast, name):
        answer = preflight(cast.anonymous, ACME)

        assert name.lower() in answer["Access-Control-Allow-Headers"].split(", ")

    def test_allows_what_the_deployment_adds(self, monkeypatch):
        monkeypatch.setenv("CORS_ALLOWED_HEADERS", "X-Datadog-Trace-Id, x-b3-traceid")
        assert env.header_names("CORS_ALLOWED_HEADERS") == ["x-datadog-trace-id", "x-b3-traceid"]

    @pytest.mark.parametrize("wrong", ["*", "x-a b", "x-a:", "x-\u00e9", "x-a,*"])
    def test_a_header_that_can_be_none_stops_the_start(self, monkeypatch, wrong):
        monkeypatch.setenv("CORS_ALLOWED_HEADERS", wrong)

        with pytest.raises(ImproperlyConfigured, match="CORS_ALLOWED_HEADERS"):
            env.header_names("CORS_ALLOWED_HEADERS")

    def test_is_the_api_s_only(self, cast):
        assert ALLOW not in preflight(cast.anonymous, ANY, "/admin/login/")
        assert ALLOW not in preflight(cast.anonymous, ANY, "/healthz")


class TestRequest:
    def test_shows_scripts_the_headers_that_clients_need(self, cast):
        exposed = cast.acme.http.get(ITEMS, headers={"Origin": ACME})["Access-Control-Expose-Headers"].split(", ")

        needed = {"ETag", "Link", "RateLimit", "RateLimit-Policy", "X-Request-ID", "Retry-After", "Idempotent-Replayed"}
        assert needed <= set(exposed)

    def test_is_read_by_the_tenant_s_own_pages_and_the_deployment_s(self, cast):
        for member, origin in ((cast.acme, ACME), (cast.globex, GLOBEX), (cast.acme, ANY), (cast.globex, ANY)):
            for path in (ITEMS, f"{ITEMS}/none", "/api/v1/users/u/recommendations", f"{ITEMS}?limit=x"):
                answer = member.http.get(path, headers={"Origin": origin})
                assert answer[ALLOW] == origin
                assert "ETag" in answer["Access-Control-Expose-Headers"]

    def test_is_not_read_by_another_tenant_s(self, cast):
        for member, origin in ((cast.acme, GLOBEX), (cast.globex, ACME)):
            for path in (ITEMS, f"{ITEMS}/none", "/api/v1/users/u/recommendations"):
                assert ALLOW not in member.http.get(path, headers={"Origin": origin})

    def test_with_a_token_that_is_bound_to_an_origin_it_is_read_by_that_one_alone(self, cast):
        def reads(origin, *, bound):
            principal = Principal(cast.acme.tenant.pk, "acme", "c", frozenset(), "t", origin=bound)
            return origins.may_read(origin, principal=principal)

        assert reads(ACME, bound=ACME)
        assert reads(ANY, bound=ANY)
        assert not reads(ANY, bound=ACME)
        assert not reads(ACME, bound=ANY)
        assert not reads(GLOBEX, bound=GLOBEX)  # another tenant's, whatever the token says

    def test_a_page_learns_that_its_token_has_ended(self, cast):
        answer = cast.anonymous.get(ITEMS, headers={"Origin": ACME, "Authorization": "Bearer ended"})

        assert (answer.status_code, answer[ALLOW]) == (401, ACME)

    def test_what_nobody_in_particular_is_answered_is_the_deployment_s(self, cast):
        for path in ("/api/schema.json", "/api/v1/nothing"):
            assert cast.anonymous.get(path, headers={"Origin": ANY})[ALLOW] == ANY
            assert ALLOW not in cast.anonymous.get(path, headers={"Origin": ACME})


class TestChange:
    def test_an_origin_that_is_taken_away_is_refused(self, cast):
        with scope.tenant(cast.acme.tenant.pk):
            Tenant.objects.update(allowed_origins=[])
        tenant_cache.load()

        assert ALLOW not in preflight(cast.anonymous, ACME)
        assert ALLOW not in cast.acme.http.get(ITEMS, headers={"Origin": ACME})

    def test_an_inactive_tenant_s_origins_are_no_longer_listed(self, cast):
        with scope.tenant(cast.acme.tenant.pk):
            Tenant.objects.update(active=False)
        tenant_cache.load()

        assert ALLOW not in preflight(cast.anonymous, ACME)

    def test_what_came_past_the_validation_does_not_count_in_production(self, cast, settings):
        settings.PRODUCTION = True
        with scope.tenant(cast.acme.tenant.pk):
            Tenant.objects.update(allowed_origins=["*", "null", "http://a.example.org", ACME])
        tenant_cache.load()

        assert tenant_cache.current().origins == {ACME, GLOBEX}
