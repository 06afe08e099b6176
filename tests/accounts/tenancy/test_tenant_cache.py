"""The process's copy of tenants and clients."""

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections

from accounts.models import ApiClient, FeatureFlag, Tenant
from accounts.tenancy import scope, tenant_cache
from core import clock
from core.errors import Unavailable
from tests.core import sockets


@pytest.fixture
def no_database():
    """The app's database is away from now on."""
    connections["default"].close()
    settings = connections["default"].settings_dict
    before = settings["PORT"]
    settings["PORT"] = sockets.closed_port()
    yield
    settings["PORT"] = before


def change(tenant, **fields):
    with scope.tenant(tenant.pk):
        Tenant.objects.filter(pk=tenant.pk).update(**fields)


class TestCopy:
    def test_costs_no_query_while_it_is_fresh(self, cast, django_assert_num_queries):
        with django_assert_num_queries(0):
            for _ in range(10):
                assert tenant_cache.tenant(cast.acme.tenant.pk) is not None
                assert tenant_cache.current().denied == frozenset()

    def test_is_renewed_by_its_reader_where_no_thread_does(self, cast, settings):
        settings.PROCESS_REFRESH_SECONDS = 0.05
        change(cast.acme.tenant, locale="de")
        time.sleep(0.06)

        assert tenant_cache.current().tenants[cast.acme.tenant.pk].locale == "de"

    def test_a_new_tenant_is_looked_for_once(self, cast, monkeypatch, django_assert_num_queries):
        monkeypatch.setattr(tenant_cache, "_UNKNOWN_TENANT_SECONDS", 60.0)

        with django_assert_num_queries(0):
            assert tenant_cache.tenant(999_999) is None

    def test_a_new_tenant_is_found_though_the_copy_is_fresh(self, cast, monkeypatch):
        monkeypatch.setattr(tenant_cache, "_UNKNOWN_TENANT_SECONDS", 0.0)
        with scope.all_tenants("test"):
            new = Tenant.objects.create(slug="initech", name="Initech", plan=cast.acme.tenant.plan)

        facts = tenant_cache.tenant(new.pk)

        assert facts is not None
        assert facts.slug == "initech"


class TestDenied:
    @pytest.mark.parametrize(
        "ending", [{"active": False}, {"expires_at": clock.now() - timedelta(seconds=1)}], ids=["inactive", "expired"]
    )
    def test_a_client_that_ended_is_refused_with_the_token_it_has(self, cast, ending):
        with scope.tenant(cast.acme.tenant.pk):
            ApiClient.objects.filter(pk=cast.acme.reader.client.pk).update(**ending)
        tenant_cache.load()

        assert cast.acme.reader.http.get("/api/v1/items").status_code == 401
        assert cast.acme.admin.http.get("/api/v1/items").status_code == 200

    def test_an_inactive_tenant_s_clients_are_all_refused(self, cast):
        change(cast.acme.tenant, active=False)
        tenant_cache.load()

        assert cast.acme.reader.http.get("/api/v1/items").status_code == 401
        assert cast.globex.reader.http.get("/api/v1/items").status_code == 200


class TestOutage:
    def test_the_last_copy_serves_on(self, cast, no_database, settings):
        settings.PROCESS_REFRESH_SECONDS = 0.01
        time.sleep(0.02)

        assert tenant_cache.current().tenants[cast.acme.tenant.pk].slug == "acme"

    def test_is_not_asked_again_by_every_reader(self, cast, no_database, monkeypatch):
        tries: list[float] = []
        monkeypatch.setattr(tenant_cache, "load", lambda: tries.append(time.monotonic()))
        tenant_cache._current = replace(tenant_cache._current, tried_at=time.monotonic())
        for _ in range(20):
            tenant_cache.current()
            tenant_cache.tenant(999_999)

        assert tries == []

    def test_without_any_copy_a_good_token_is_not_called_bad(self, cast, no_database):
        tenant_cache._current = tenant_cache.TenantSnapshot()

        response = cast.acme.http.get("/api/v1/items")

        assert response.status_code == 503
        assert response["Retry-After"] == "2"
        with pytest.raises(Unavailable):
            tenant_cache.check_ready()


class TestThread:
    def test_renews_the_copy_without_a_reader(self, cast, committed_db, settings):
        settings.PROCESS_REFRESH_SECONDS = 0.05
        try:
            tenant_cache.start()
            tenant_cache.start()
            assert [thread.name for thread in threading.enumerate()].count("directory") == 1
            with scope.tenant(cast.acme.tenant.pk):
                FeatureFlag.objects.create(tenant=cast.acme.tenant, name="ai", percent=7)
            time.sleep(0.5)

            assert tenant_cache._current.tenants[cast.acme.tenant.pk].flags == {"ai": 7}
        finally:
            tenant_cache.stop()

        assert [thread for thread in threading.enumerate() if thread.name == "directory"] == []
