"""Refresh tokens: only when asked for, each once, and a family that ends as a whole."""

from datetime import timedelta

import pytest
import time_machine
from prometheus_client import REGISTRY

from accounts.models import ApiClient, RefreshFamily, RefreshToken, ReplayAttempt, Tenant
from accounts.tenancy import scope, tenant_cache
from accounts.tokens import dpop
from core import clock
from tests.accounts.oauth import TOKEN, ask, get, grant, refresh
from tests.accounts.proofs import Holder, age_store


def replays():
    return REGISTRY.get_sample_value("jwt_replay_prevented_total", {"kind": "refresh"}) or 0.0


def rows(cast, model=ReplayAttempt):
    with scope.tenant(cast.acme.tenant.pk):
        return list(model.objects.filter(tenant=cast.acme.tenant))


def test_replays_of_synthetic_checks_are_no_attempts(cast):
    with scope.all_tenants("test"):
        Tenant.objects.filter(pk=cast.acme.tenant.pk).update(synthetic=True)
    used, attempts = grant(cast.acme.admin)["refresh_token"], replays()
    assert refresh(cast.acme.admin, used).status_code == 200

    assert refresh(cast.acme.admin, used).status_code == 401
    assert (rows(cast), replays()) == ([], attempts)


class TestGrant:
    def test_gives_one_only_when_it_is_asked_for(self, cast):
        plain = ask(cast.acme.admin, grant_type="client_credentials").json()

        assert "refresh_token" not in plain
        assert "offline_access" not in plain["scope"]
        assert grant(cast.acme.admin)["refresh_token"].startswith("dr_")

    def test_is_refused_to_a_client_that_may_not(self, cast):
        response = ask(cast.acme.reader, grant_type="client_credentials", scope="offline_access")

        assert (response.status_code, response.json()["error"]) == (400, "invalid_scope")

    def test_nothing_usable_is_stored(self, cast):
        raw = grant(cast.acme.admin)["refresh_token"]
        (row,) = rows(cast, RefreshToken)

        assert raw not in str(vars(row))
        assert len(row.token_hash) == 64


class TestUse:
    def test_gives_an_access_token_and_the_next_refresh_token(self, cast):
        first = grant(cast.acme.admin)
        second = refresh(cast.acme.admin, first["refresh_token"])
        body = second.json()

        assert (second.status_code, second["Cache-Control"]) == (200, "no-store")
        assert body["scope"] == "catalog:read offline_access"
        assert get(body["access_token"]) == 200
        assert refresh(cast.acme.admin, body["refresh_token"]).status_code == 200
        assert [bool(row.parent_id) for row in rows(cast, RefreshToken)] == [True, True, False]

    def test_may_ask_for_less_and_the_next_has_all_of_it(self, cast):
        first = grant(cast.acme.admin, "catalog:read events:read offline_access")
        second = refresh(cast.acme.admin, first["refresh_token"], scope="events:read").json()

        assert second["scope"] == "events:read"
        third = refresh(cast.acme.admin, second["refresh_token"]).json()
        assert third["scope"] == "catalog:read events:read offline_access"

    def test_asking_for_more_does_not_use_it_up(self, cast):
        token = grant(cast.acme.admin)["refresh_token"]
        refused = refresh(cast.acme.admin, token, scope="privacy:write")

        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")
        assert refresh(cast.acme.admin, token).status_code == 200

    def test_of_a_scope_that_the_client_has_lost_gives_the_rest(self, cast):
        token = grant(cast.acme.admin, "catalog:read events:read offline_access")["refresh_token"]
        with scope.tenant(cast.acme.tenant.pk):
            ApiClient.objects.filter(pk=cast.acme.admin.client.pk).update(scopes=["catalog:read", "offline_access"])

        assert refresh(cast.acme.admin, token).json()["scope"] == "catalog:read offline_access"


class TestReplay:
    def test_ends_the_family_and_every_token_that_came_of_it(self, cast):
        before = replays()
        first = grant(cast.acme.admin)
        second = refresh(cast.acme.admin, first["refresh_token"]).json()
        replayed = refresh(cast.acme.admin, first["refresh_token"], headers={"X-Forwarded-For": "9.9.9.9"})
        tenant_cache.load()

        assert (replayed.status_code, replayed.json()["error"]) == (401, "invalid_grant")
        assert refresh(cast.acme.admin, second["refresh_token"]).status_code == 401
        assert [get(first["access_token"]), get(second["access_token"])] == [401, 401]
        assert replays() - before == 1
        (attempt,) = rows(cast)
        assert (attempt.kind, attempt.client_id) == ("refresh", cast.acme.admin.client.client_id)
        assert attempt.address == "127.0.0.1"
        (family,) = rows(cast, RefreshFamily)
        assert (attempt.subject, family.ended_why) == (str(family.pk), "replayed")

    @pytest.mark.parametrize("scope", ["privacy:write", "nonsense", "catalog:read", ""])
    def test_is_noticed_whatever_scope_is_asked_for(self, cast, scope):
        before = replays()
        first = grant(cast.acme.admin)
        second = refresh(cast.acme.admin, first["refresh_token"]).json()

        replayed = refresh(cast.acme.admin, first["refresh_token"], scope=scope)

        assert (replayed.status_code, replayed.json()["error"]) == (401, "invalid_grant")
        assert "catalog:read" not in replayed.json()["detail"]
        assert refresh(cast.acme.admin, second["refresh_token"]).status_code == 401
        assert replays() - before == 1

    def test_of_a_token_that_is_bound_to_a_key_is_noticed_without_the_key(self, cast):
        dpop.prime(cast.acme.tenant.pk)
        age_store(cast.acme.tenant.pk)
        proof = Holder().proof("POST", "http://testserver/api/v1/auth/token")
        first = grant(cast.acme.admin, headers={"DPoP": proof})
        with scope.tenant(cast.acme.tenant.pk):
            RefreshToken.objects.update(used_at=clock.now())

        assert refresh(cast.acme.admin, first["refresh_token"]).status_code == 401
        (family,) = rows(cast, RefreshFamily)
        assert family.ended_why == "replayed"

    def test_leaves_other_families_alone(self, cast):
        first, other = grant(cast.acme.admin), grant(cast.acme.admin)
        refresh(cast.acme.admin, first["refresh_token"])
        refresh(cast.acme.admin, first["refresh_token"])
        tenant_cache.load()

        assert get(other["access_token"]) == 200
        assert refresh(cast.acme.admin, other["refresh_token"]).status_code == 200

    def test_by_a_stranger_ends_nothing(self, cast):
        token = grant(cast.acme.admin)["refresh_token"]

        for stranger in (cast.globex.admin, cast.acme.reader):
            assert refresh(stranger, token).status_code == 401
        assert rows(cast) == []
        assert refresh(cast.acme.admin, token).status_code == 200


class TestEnd:
    @pytest.mark.parametrize("body", [{}, {"refresh_token": "dr_nobody"}, {"refresh_token": "\ud800"}])
    def test_what_is_no_token_is_refused(self, cast, body):
        response = ask(cast.acme.admin, TOKEN, grant_type="refresh_token", **body)

        assert response.status_code == (401 if body else 400)

    def test_a_family_ends_with_its_time(self, cast, settings):
        token = grant(cast.acme.admin)["refresh_token"]
        then = clock.now() + timedelta(seconds=settings.REFRESH_TOKEN_SECONDS)
        with time_machine.travel(then - timedelta(seconds=5), tick=False):
            token = refresh(cast.acme.admin, token).json()["refresh_token"]
        with time_machine.travel(then, tick=False):
            assert refresh(cast.acme.admin, token).status_code == 401
        assert rows(cast) == []

    @pytest.mark.parametrize(
        "ending",
        [
            lambda cast: ApiClient.objects.update(active=False),
            lambda cast: Tenant.objects.update(active=False),
            lambda cast: ApiClient.objects.update(scopes=["catalog:read"]),
        ],
        ids=["client", "tenant", "permission"],
    )
    def test_with_its_client_its_tenant_or_its_permission(self, cast, ending):
        token = grant(cast.acme.admin)["refresh_token"]
        with scope.tenant(cast.acme.tenant.pk):
            ending(cast)

        assert refresh(cast.acme.admin, token).status_code == 401
