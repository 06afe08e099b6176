"""RFC 7009: what a client takes back is refused; what is not its own stays."""

import pytest
from django.test import Client

from accounts.models import ApiClient, RevokedToken
from accounts.tenancy import scope, tenant_cache
from accounts.tokens import cleanup, clients, revocations
from core import clock, redis
from core.ratelimit import keys
from tests.accounts.oauth import REVOKE, ask, get, grant, refresh


class TestRevoke:
    def test_an_access_token(self, cast):
        token = cast.acme.reader.token
        assert get(token) == 200
        response = ask(cast.acme.reader, REVOKE, token=token)
        tenant_cache.load()

        assert (response.status_code, response.content) == (200, b"")
        assert response["Cache-Control"] == "no-store"
        assert get(token) == 401
        assert get(cast.acme.admin.token) == 200
        assert ask(cast.acme.reader, REVOKE, token=token).status_code == 200  # again

    def test_a_refresh_token_ends_all_of_its_grant(self, cast):
        first = grant(cast.acme.admin)
        second = refresh(cast.acme.admin, first["refresh_token"]).json()
        assert ask(cast.acme.admin, REVOKE, token=first["refresh_token"]).status_code == 200
        tenant_cache.load()

        assert refresh(cast.acme.admin, second["refresh_token"]).status_code == 401
        assert [get(first["access_token"]), get(second["access_token"])] == [401, 401]
        assert get(cast.acme.admin.token) == 200  # of another grant

    @pytest.mark.parametrize("token", ["nonsense", "a.b.c", "dr_nobody", "\ud800"])
    def test_what_is_no_token_is_no_error(self, cast, token):
        assert ask(cast.acme.reader, REVOKE, token=token).status_code == 200

    def test_another_client_s_is_refused_and_stays(self, cast):
        granted = grant(cast.acme.admin)
        for token in (granted["access_token"], granted["refresh_token"]):
            response = ask(cast.acme.reader, REVOKE, token=token)
            assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
        ask(cast.globex.admin, REVOKE, token=granted["refresh_token"])
        ask(cast.globex.admin, REVOKE, token=granted["access_token"])
        tenant_cache.load()

        assert get(granted["access_token"]) == 200
        assert refresh(cast.acme.admin, granted["refresh_token"]).status_code == 200

    def test_needs_the_client_and_a_token(self, cast):
        http = Client()
        wrong = {"client_id": cast.acme.reader.client.client_id, "client_secret": "wrong", "token": "a"}

        assert http.post(REVOKE, wrong, content_type="application/json").status_code == 401
        assert ask(cast.acme.reader, REVOKE).status_code == 400


class TestMarkers:
    """Redis is told after the commit; emptied, it is told again from Postgres."""

    def test_are_set_with_the_commit_and_loaded_after_a_loss(self, cast, committed_db, redis_server):
        token, http = cast.acme.reader.token, cast.acme.reader.http
        stale = tenant_cache.current()
        assert get(token) == 200
        ask(cast.acme.reader, REVOKE, token=token)
        tenant_cache._current = stale  # a process that has not read Postgres yet

        assert http.get("/api/v1/items").status_code == 401
        redis_server.flushdb()
        assert http.get("/api/v1/items").status_code == 401  # asked Postgres, since Redis could not say
        assert http.get("/api/v1/items").status_code == 401
        assert redis_server.get(keys.generation(cast.acme.tenant.pk))
        assert get(cast.acme.admin.token) == 200

    def test_of_a_client_that_comes_back_are_withdrawn(self, cast, committed_db, redis_server):
        client = cast.acme.reader.client
        stale = tenant_cache.current()
        assert get(cast.acme.reader.token) == 200
        with scope.tenant(client.tenant_id):
            clients.deactivate(client=client, now=clock.now())
        tenant_cache._current = stale
        assert get(cast.acme.reader.token) == 401
        client.active = True
        with scope.tenant(client.tenant_id):
            client.save(update_fields=["active"])
            clients.apply_active_change(client=client, now=clock.now())
        tenant_cache.load()

        assert get(cast.acme.reader.token) == 200

    def test_of_a_tenant_stop_all_of_its_clients(self, cast, committed_db, redis_server):
        stale = tenant_cache.current()
        assert get(cast.acme.reader.token) == 200
        cast.acme.tenant.active = False
        with scope.tenant(cast.acme.tenant.pk):
            cast.acme.tenant.save(update_fields=["active"])
            revocations.tenant_changed(cast.acme.tenant)
        tenant_cache._current = stale

        assert [get(cast.acme.reader.token), get(cast.globex.reader.token)] == [401, 200]
        redis.client().flushdb()
        assert get(cast.acme.reader.token) == 401

    def test_an_expired_client_is_among_them(self, cast):
        now = clock.now()
        with scope.tenant(cast.acme.tenant.pk):
            ApiClient.objects.filter(pk=cast.acme.reader.client.pk).update(expires_at=now)
            known = revocations.tenant_revocations(tenant_id=cast.acme.tenant.pk, now=now)

        assert [(each.kind, each.name) for each in known] == [("client", cast.acme.reader.client.client_id)]


class TestPurge:
    def test_takes_what_is_past_its_time(self, cast):
        from datetime import timedelta

        now = clock.now()
        granted = grant(cast.acme.admin)
        refresh(cast.acme.admin, granted["refresh_token"])
        refresh(cast.acme.admin, granted["refresh_token"])

        assert cleanup.purge(now=now) == 0
        assert cleanup.purge(now=now + timedelta(minutes=30)) == 2  # two access tokens
        with scope.tenant(cast.acme.tenant.pk):
            assert not RevokedToken.objects.exists()
        assert cleanup.purge(now=now + timedelta(days=38)) == 1  # the family
        assert cleanup.purge(now=now + timedelta(days=366)) == 1  # the attempt


class TestMetadata:
    def test_says_where_everything_is(self, db):
        response = Client().get("/.well-known/oauth-authorization-server")
        body = response.json()

        assert response["Cache-Control"] == "public, max-age=300"
        assert body["issuer"] == "docent"
        assert body["token_endpoint"] == "http://testserver/api/v1/auth/token"
        assert body["jwks_uri"] == "http://testserver/.well-known/jwks.json"
        for name in ("token_endpoint", "revocation_endpoint"):
            response = Client().post(body[name].removeprefix("http://testserver"), {}, content_type="application/json")
            assert response.status_code in {400, 401}
        assert set(body["grant_types_supported"]) == {"client_credentials", "refresh_token"}
