"""Staff of one tenant see and change nothing of another."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group

from accounts.models import ApiClient, FeatureFlag, Plan, Tenant, TenantUsage, User
from accounts.tenancy import scope
from recommendations.models import EndUser, Item
from tests.accounts.admin.pages import CONFIRMED, PASSWORD, page, staff

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


# By app: a cast for each of the models would take longer than its pages.
OF_APP = {
    app: [model for model in MODELS if model._meta.app_label == app] for app in {m._meta.app_label for m in MODELS}
}


BY_APP = pytest.mark.parametrize("app", sorted(OF_APP))


# What a form of a tenant has to carry.
ATTRIBUTION = {"impressions": "implied", "attribution_hours": 168, "conversion_types": "purchase"}


class TestConfinement:
    @BY_APP
    def test_the_other_tenant_is_in_no_list(self, rows, confined, app):
        staff("outside", tenant=rows.globex.tenant)
        lists = {model._meta.label: confined.get(page(model, "changelist")).content.lower() for model in OF_APP[app]}

        assert [label for label, text in lists.items() if b"globex" in text or b"outside" in text] == []

    @pytest.mark.parametrize(
        "model", [Tenant, ApiClient, FeatureFlag, TenantUsage, Item, EndUser], ids=lambda model: model.__name__
    )
    def test_the_other_tenant_s_rows_do_not_open(self, rows, confined, model):
        with scope.tenant(rows.globex.tenant.pk):
            key = model.objects.values_list("pk", flat=True).first()

        for name in ("change", "history", "delete"):
            response = confined.get(page(model, name, key))
            assert response.status_code in {302, 403, 404}
            assert b"globex" not in response.content.lower()

    @pytest.mark.parametrize("model", [Plan, Group], ids=lambda model: model.__name__)
    def test_what_is_the_deployment_s_is_closed(self, rows, confined, model):
        thing = Plan.objects.first() if model is Plan else Group.objects.create(name="Editors")
        assert thing is not None

        for name, args in (("changelist", ()), ("add", ()), ("change", (thing.pk,)), ("delete", (thing.pk,))):
            assert confined.get(page(model, name, *args)).status_code == 403
        assert page(model, "changelist").encode() not in confined.get("/admin/").content

    def test_a_new_tenant_cannot_be_made(self, cast, confined):
        assert confined.get(page(Tenant, "add")).status_code == 403

    def test_the_own_plan_and_whether_it_is_served_stay(self, cast, confined):
        better = Plan.objects.create(name="Unlimited")
        sent = {
            "name": "Acme",
            "locale": "en",
            "plan": better.pk,
            "create_unknown": "on",
            "validation": "time",
            **ATTRIBUTION,
        }  # active is left out: off
        response = confined.post(page(Tenant, "change", cast.acme.tenant.pk), sent)

        with scope.tenant(cast.acme.tenant.pk):
            tenant = Tenant.objects.get()
        assert response.status_code == 302
        assert (tenant.plan_id, tenant.active) == (cast.acme.tenant.plan_id, True)

    def test_a_client_of_the_other_tenant_cannot_be_made(self, cast, confined):
        sent = {"tenant": cast.globex.tenant.pk, "name": "spy", "scopes": ["catalog:read"], "active": "on"}
        response = confined.post(page(ApiClient, "add"), sent)

        assert response.status_code == 200  # the form again, with its error
        with scope.all_tenants("test"):
            assert not ApiClient.objects.filter(name="spy").exists()

    def test_an_action_reaches_no_row_of_the_other_tenant(self, cast, confined):
        sent = {"action": "deactivate", "_selected_action": [cast.globex.reader.client.pk], **CONFIRMED}
        confined.post(page(ApiClient, "changelist"), sent)

        with scope.tenant(cast.globex.tenant.pk):
            assert ApiClient.objects.get(pk=cast.globex.reader.client.pk).active

    def test_nobody_raises_themselves(self, cast, confined):
        me = User.objects.get(username="inside")
        sent = {"username": "inside", "email": "new@example.org", "is_active": "on", "is_superuser": "on", "tenant": ""}
        sent |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
        response = confined.post(page(User, "change", me.pk), sent)

        me.refresh_from_db()
        assert (response.status_code, me.email) == (302, "new@example.org")
        assert (me.is_superuser, me.is_staff, me.tenant_id) == (False, True, cast.acme.tenant.pk)

    def test_nobody_takes_over_an_account_that_may_more(self, cast, confined):
        root = User.objects.create_superuser("root", password=PASSWORD)
        boss = User.objects.create_superuser("boss", password=PASSWORD, tenant=cast.acme.tenant)
        for above in (root, boss):
            for url in (page(User, "change", above.pk), f"/admin/accounts/user/{above.pk}/password/"):
                response = confined.post(url, {"password1": "hijacked-hijacked", "password2": "hijacked-hijacked"})
                assert response.status_code in {302, 403, 404}
            above.refresh_from_db()
            assert above.check_password(PASSWORD)

    def test_whom_they_add_is_confined_likewise(self, cast, confined):
        sent = {"username": "colleague", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
        assert confined.post(page(User, "add"), sent).status_code == 302

        assert User.objects.get(username="colleague").tenant_id == cast.acme.tenant.pk

    def test_a_superuser_who_is_confined_is_confined_all_the_same(self, rows):
        _, boss = staff("boss", is_superuser=True, tenant=rows.acme.tenant)

        assert boss.get(page(Plan, "changelist")).status_code == 403
        assert b"globex" not in boss.get(page(Item, "changelist")).content.lower()
