"""The admin's pages of API clients: secrets shown once, revocation."""

import re

from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import ApiClient
from accounts.tenancy import scope, tenant_cache
from accounts.tokens import clients
from tests.accounts.admin.pages import CONFIRMED, page, staff

SECRET = re.compile(r'<code id="secret-1">(\S{43})</code>')


class TestClients:
    def create(self, browser, cast, **more):
        sent = {"tenant": cast.acme.tenant.pk, "name": "shop", "scopes": ["catalog:read"], "active": "on", **more}
        return browser.post(page(ApiClient, "add"), sent, follow=True)

    def test_creating_shows_a_secret_that_works_once_only(self, cast, root):
        text = self.create(root, cast).content.decode()
        found = SECRET.search(text)
        assert found is not None
        with scope.tenant(cast.acme.tenant.pk):
            client = ApiClient.objects.get(name="shop")

        assert f"Client {client.client_id}" in text
        body = {"grant_type": "client_credentials", "client_id": client.client_id, "client_secret": found[1]}
        assert Client().post("/api/v1/auth/token", body, content_type="application/json").status_code == 200
        for again in (page(ApiClient, "changelist"), page(ApiClient, "change", client.pk)):
            seen = root.get(again).content.decode()
            assert found[1] not in seen
            assert client.secret_hash not in seen

    def test_one_that_is_made_inactive_is(self, cast, root):
        with scope.tenant(cast.acme.tenant.pk):
            self.create(root, cast, active="")
            assert not ApiClient.objects.get(name="shop").active

    def test_changing_one_keeps_its_secret_and_its_tenant(self, cast, root):
        client = cast.acme.reader.client
        sent = {"tenant": cast.globex.tenant.pk, "name": "renamed", "scopes": ["events:read"], "active": "on"}
        response = root.post(page(ApiClient, "change", client.pk), sent)

        with scope.tenant(cast.acme.tenant.pk):
            changed = ApiClient.objects.get(pk=client.pk)
        assert response.status_code == 302
        assert (changed.name, changed.scopes, changed.secret_hash) == ("renamed", ["events:read"], client.secret_hash)

    def test_a_new_secret_replaces_the_old_one(self, cast, root):
        sent = {"action": "renew_secret", "_selected_action": [cast.acme.reader.client.pk], **CONFIRMED}
        found = SECRET.search(root.post(page(ApiClient, "changelist"), sent, follow=True).content.decode())
        assert found is not None

        with scope.tenant(cast.acme.tenant.pk):
            client = ApiClient.objects.get(pk=cast.acme.reader.client.pk)
        assert clients.matches(client, found[1])
        assert not clients.matches(client, cast.acme.reader.secret)

    def test_deactivating_one_stops_its_tokens(self, cast, root):
        sent = {"action": "deactivate", "_selected_action": [cast.acme.reader.client.pk], **CONFIRMED}
        root.post(page(ApiClient, "changelist"), sent)
        tenant_cache.load()

        assert cast.acme.reader.http.get("/api/v1/items").status_code == 401

    def test_none_is_deleted(self, cast, root):
        client = cast.acme.reader.client

        assert root.get(page(ApiClient, "delete", client.pk)).status_code == 403
        assert b"delete_selected" not in root.get(page(ApiClient, "changelist")).content

    def test_somebody_who_may_only_look_gives_no_new_secret(self, cast):
        person, browser = staff("viewer")
        person.user_permissions.set(Permission.objects.filter(codename="view_apiclient"))
        sent = {"action": "renew_secret", "_selected_action": [cast.acme.reader.client.pk], **CONFIRMED}
        browser.post(page(ApiClient, "changelist"), sent)

        with scope.tenant(cast.acme.tenant.pk):
            client = ApiClient.objects.get(pk=cast.acme.reader.client.pk)
        assert clients.matches(client, cast.acme.reader.secret)
