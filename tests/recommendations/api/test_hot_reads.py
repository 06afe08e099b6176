"""The short way of the usual reads answers as the views do, and leaves to them whatever is not plain."""

import json

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import FeatureFlag, Plan
from accounts.tenancy import scope, tenant_cache
from core import clock, redis
from core.http import request_log
from recommendations.cache import keys, list_cache, publish_availability
from recommendations.serving.page import ready_pages
from tests.accounts.oauth import REVOKE, ask
from tests.outages import redis_away
from tests.recommendations.api.wsgi_caller import Caller, left, limited
from tests.recommendations.lists import body, publish

ITEMS = [f"i{n:03}" for n in range(100)]
ANN = "/api/v1/users/ann/recommendations"
BATCH = "/api/v1/recommendations/batch"


@pytest.fixture
def acme(cast):
    lists = {"ann": ITEMS, "bob": list(reversed(ITEMS)), "eve": ITEMS[:5]}
    publish(cast.acme.tenant, people=lists, items=ITEMS, popular=ITEMS)
    with scope.all_tenants("test"):
        Plan.objects.update(read_per_minute=6000, read_burst=6000, requests_per_month=100_000)
    tenant_cache.load()
    return cast.acme


@pytest.fixture
def caller(acme):
    """One whose token was verified, and whose lists are in Redis."""
    made = Caller(acme.admin.token)
    made.ask_views(BATCH, {"user_ids": ["ann", "bob", "eve"]})
    return made


class TestTheSameAnswer:
    @pytest.mark.parametrize(
        ("given", "more"),
        [
            ((ANN,), {}),
            ((ANN,), {"HTTP_X_REQUEST_ID": "0123456789abcdef"}),
            ((ANN,), {"HTTP_IF_NONE_MATCH": '"another"'}),
            ((ANN,), {"HTTP_ACCEPT_LANGUAGE": "de", "HTTP_ACCEPT": "text/html", "HTTP_COOKIE": "a=b"}),
            (("/api/v1/users/eve/recommendations",), {}),
            ((BATCH, {"user_ids": ["bob", "ann"]}), {}),
            ((BATCH, b' { "user_ids" : [ "ann" ] } '), {}),
        ],
    )
    def test_as_the_views_give(self, caller, given, more):
        ours, theirs = caller.ask(*given, **more), caller.ask_views(*given, **more)

        assert caller.passed_on == 0
        assert (ours.status, ours.body, limited(ours)) == (theirs.status, theirs.body, limited(theirs))
        assert set(ours.headers) == set(theirs.headers)
        assert left(ours) - left(theirs) == (2 if given == (BATCH, {"user_ids": ["bob", "ann"]}) else 1)
        if "HTTP_X_REQUEST_ID" in more:
            assert ours.headers["X-Request-ID"] == more["HTTP_X_REQUEST_ID"]

    def test_an_unchanged_list_is_304(self, caller):
        tag = caller.ask(ANN).headers["ETag"]
        for sent in (tag, f'"x", {tag}', f"W/{tag}", "*"):
            ours, theirs = caller.ask(ANN, HTTP_IF_NONE_MATCH=sent), caller.ask_views(ANN, HTTP_IF_NONE_MATCH=sent)

            assert (ours.status, theirs.status, ours.body) == (304, 304, b"")
            assert limited(ours).items() == limited(theirs).items() - {("Content-Length", "0")}
        assert caller.passed_on == 0

    def test_over_tls_the_header_that_asks_for_it_is_there(self, acme, settings):
        settings.SECURE_HSTS_SECONDS, settings.SECURE_SSL_REDIRECT = 3600, True
        caller = Caller(acme.admin.token)
        caller.ask_views(ANN, **{"wsgi.url_scheme": "https"})

        ours = caller.ask(ANN, **{"wsgi.url_scheme": "https"})
        plain = caller.ask(ANN)

        assert ours.headers["Strict-Transport-Security"].startswith("max-age=3600")
        assert (plain.status, caller.passed_on) == (301, 1)

    def test_the_layers_that_it_stands_in_for_are_these(self):
        """A new one has to be named in core.http.plain_requests what it does to the API's answers."""
        assert [name.rpartition(".")[2] for name in settings.MIDDLEWARE] == [
            "EdgeMiddleware",
            "ProbeMiddleware",
            "SecurityMiddleware",
            "ContentPolicyMiddleware",
            "WhiteNoiseMiddleware",
            "OriginMiddleware",
            "SessionMiddleware",
            "CommonMiddleware",
            "CsrfViewMiddleware",
            "AuthenticationMiddleware",
            "OTPMiddleware",
            "MessageMiddleware",
            "XFrameOptionsMiddleware",
            "StaffAccessMiddleware",
            "AdminScopeMiddleware",
            "AxesMiddleware",
        ]


class TestCost:
    @pytest.mark.parametrize("given", [(ANN,), (BATCH, {"user_ids": ["ann", "bob", "eve"]})])
    def test_a_warm_read_is_one_redis_round_trip_and_no_sql(self, caller, round_trips, given):
        caller.ask(*given)
        round_trips.clear()

        with CaptureQueriesContext(connection) as queries:
            answer = caller.ask(*given)

        assert (answer.status, len(round_trips), len(queries), caller.passed_on) == (200, 1, 0, 0)

    def test_a_batch_costs_its_number_of_users(self, caller):
        before = left(caller.ask(ANN))

        after = left(caller.ask(BATCH, {"user_ids": ["ann", "bob", "eve"]}))

        assert before - after == 3

    @pytest.mark.parametrize(("sample", "lines"), [(0.0, 0), (1.0, 1)])
    def test_a_share_of_the_answers_is_logged(self, caller, settings, caplog, monkeypatch, sample, lines):
        monkeypatch.setattr(request_log, "SLOW_SECONDS", 600.0)  # the machine may be busy
        settings.LOG_READ_SAMPLE = sample
        with caplog.at_level("INFO", logger="docent.request"):
            caplog.clear()
            caller.ask(ANN)

        assert [record.name for record in caplog.records] == ["docent.request"] * lines


class TestPassedOn:
    """Charged and read once, also where the views then answer."""

    @pytest.mark.parametrize(
        ("given", "more", "status"),
        [
            (("/api/v1/users/ann/recommendations?limit=5",), {}, 200),
            (("/api/v1/users/ann/recommendations?colour=red",), {}, 422),
            (("/api/v1/users/batch/recommendations",), {}, 422),
            (("/api/v1/users/ä/recommendations",), {}, 200),
            (("/api/v1/users/a/b/recommendations",), {}, 200),
            (("/api/v1/users/nobody/recommendations",), {}, 200),
            (("/api/v1/users/ann/recommendations",), {"REQUEST_METHOD": "HEAD"}, 200),
            (("/api/v1/users/ann/recommendations",), {"REQUEST_METHOD": "DELETE"}, 405),
            ((ANN,), {"HTTP_ORIGIN": "https://stranger.example"}, 200),
            ((ANN,), {"HTTP_HOST": "stranger.example"}, 400),
            ((ANN,), {"HTTP_AUTHORIZATION": None}, 401),
            ((ANN,), {"HTTP_AUTHORIZATION": "Bearer nonsense"}, 401),
            ((ANN,), {"HTTP_AUTHORIZATION": "Basic YTpi"}, 401),
            ((BATCH, {"user_ids": ["ann"], "limit": 5}), {}, 200),
            ((BATCH, {"user_ids": ["ann", "ann"]}), {}, 200),
            ((BATCH, {"user_ids": []}), {}, 422),
            ((BATCH, {"user_ids": [5]}), {}, 422),
            ((BATCH, {"user_ids": [f"u{n}" for n in range(101)]}), {}, 422),
            ((BATCH, {"user_ids": ["ann"], "colour": "red"}), {}, 422),
            ((BATCH, b"{"), {}, 400),
            ((BATCH, b'{"user_ids":["ann"],"user_ids":["bob"]}'), {}, None),
            ((BATCH, {"user_ids": ["ann"]}), {"CONTENT_TYPE": "text/plain"}, 415),
        ],
    )
    def test_what_is_not_plain(self, caller, given, more, status):
        ours, theirs = caller.ask(*given, **more), caller.ask_views(*given, **more)

        assert caller.passed_on == 1
        assert ours.status == theirs.status == (status or theirs.status)
        if ours.status < 400:
            assert (ours.body, limited(ours)) == (theirs.body, limited(theirs))

    def test_a_user_without_a_list_is_charged_once(self, caller):
        first, second, third = (left(caller.ask("/api/v1/users/nobody/recommendations")) for _ in range(3))

        assert (first - second, second - third) == (1, 1)
        assert caller.passed_on == 3

    def test_a_refusal_by_the_limits_is_the_views(self, caller, acme):
        with scope.all_tenants("test"):
            Plan.objects.update(read_per_minute=1, read_burst=1)
        tenant_cache.load()
        redis.client().delete(f"{{t:{acme.tenant.pk}}}:rate:read")

        assert caller.ask(ANN).status == 200
        refused = caller.ask(ANN)

        assert refused.status == 429
        assert json.loads(refused.body)["code"] == "rate_limited"
        assert "Retry-After" in refused.headers

    def test_a_switched_off_tenant_gets_the_flags_answer(self, caller, acme):
        with scope.tenant(acme.tenant.pk):
            FeatureFlag.objects.create(tenant=acme.tenant, name="recommendations", percent=0)
        tenant_cache.load()

        assert json.loads(caller.ask(ANN).body)["degraded"] == "flag"

    @pytest.mark.parametrize("given", [(ANN,), (BATCH, {"user_ids": ["ann", "bob"]})])
    def test_a_fault_of_its_own_is_not_the_callers(self, caller, acme, given, caplog):
        expected = caller.ask_views(*given)
        ready_pages._pages[keys.user_list(acme.tenant.pk, "home", "ann")] = "no page"  # type: ignore[assignment]

        answer = caller.ask(*given)

        assert (answer.status, answer.body, caller.passed_on) == (200, expected.body, 1)
        assert "hot_read_failed" in caplog.text
        assert left(expected) - left(answer) == (1 if given == (ANN,) else 2)  # charged once

    def test_without_redis_it_comes_from_postgres(self, caller):
        with redis_away():
            answer = caller.ask(ANN)

        assert (answer.status, caller.passed_on) == (200, 1)
        assert json.loads(answer.body)["items"][0]["item_id"] == "i000"


class TestNothingOldIsShown:
    def test_a_list_that_was_replaced(self, caller, acme):
        first = caller.ask(ANN)
        new = body("ann", list(reversed(ITEMS)), build=10**6)
        list_cache.set_many([(keys.user_list(acme.tenant.pk, "home", "ann"), new)])

        second = caller.ask(ANN)

        assert json.loads(second.body)["items"][0]["item_id"] == "i099"
        assert first.headers["ETag"] != second.headers["ETag"]
        assert caller.passed_on == 0

    def test_a_withdrawn_item(self, caller, acme):
        caller.ask(ANN)
        publish_availability(acme.tenant.pk, {"i000": 0.0})

        for given in ((ANN,), (BATCH, {"user_ids": ["ann", "eve"]})):
            assert b'"i000"' not in caller.ask(*given).body
        publish_availability(acme.tenant.pk, {"i000": None})
        assert b'"i000"' in caller.ask(ANN).body

    def test_an_item_that_ends_is_not_shown_after_that(self, caller, acme):
        ends = clock.now().timestamp()
        dated = body("ann", ITEMS, build=10**6, until={"i000": ends - 1, "i001": ends + 3600})
        list_cache.set_many([(keys.user_list(acme.tenant.pk, "home", "ann"), dated)])

        shown = json.loads(caller.ask(ANN).body)["items"]

        assert [item["item_id"] for item in shown[:2]] == ["i001", "i002"]

    def test_an_erased_user(self, caller, acme):
        caller.ask(ANN)
        held = redis.client().get(keys.user_list(acme.tenant.pk, "home", "ann"))
        assert acme.http.delete("/api/v1/users/ann").status_code == 200
        assert redis.client().exists(keys.tombstone(acme.tenant.pk, "ann"))
        redis.client().set(keys.user_list(acme.tenant.pk, "home", "ann"), held)  # as by a late writer

        for given in ((ANN,), (BATCH, {"user_ids": ["ann"]})):
            answer = caller.ask(*given)
            assert (answer.status, b'"model"' in answer.body) == (200, False), answer

    def test_a_list_of_another_owner_under_the_key(self, caller, acme):
        redis.client().set(keys.user_list(acme.tenant.pk, "home", "ann"), body("bob", ITEMS, build=10**6))

        caller.ask(ANN)

        assert caller.passed_on == 1

    def test_a_revoked_token(self, caller, acme):
        caller.ask(ANN)
        ask(acme.admin, REVOKE, token=acme.admin.token)
        tenant_cache.load()

        assert caller.ask(ANN).status == 401

    def test_no_more_pages_than_may_be(self, caller, monkeypatch):
        monkeypatch.setattr(ready_pages, "MAX_PAGES", 2)
        ready_pages._pages.clear()

        caller.ask(BATCH, {"user_ids": ["ann", "bob", "eve"]})

        assert len(ready_pages._pages) == 2
