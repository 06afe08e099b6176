"""The admin: every page opens, staff of one tenant stay inside it, and what is done there takes effect."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client

from accounts.models import ApiClient, FeatureFlag, Plan, Tenant, TenantUsage
from accounts.tenancy import flags, scope, tenant_cache
from accounts.tokens import clients
from core.ratelimit import Quota, RateLimit
from recommendations.models import EndUser, Item
from tests.accounts.admin.pages import PASSWORD, page, staff
from tests.size import slow

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


# By app: a cast for each of the models would take longer than its pages.
OF_APP = {
    app: [model for model in MODELS if model._meta.app_label == app] for app in {m._meta.app_label for m in MODELS}
}


BY_APP = pytest.mark.parametrize("app", sorted(OF_APP))


class TestPages:
    def test_every_model_of_ours_has_one(self):
        ours = {
            model for app in ("accounts", "recommendations", "core") for model in apps.get_app_config(app).get_models()
        }
        internal = {model._meta.label for model in ours - set(MODELS)}

        assert {label for label in internal if label.startswith("accounts.")} == set()

    def test_logging_in(self, cast):
        staff("root", is_superuser=True)
        browser = Client()
        response = browser.post("/admin/login/?next=/admin/", {"username": "root", "password": PASSWORD}, follow=True)

        assert response.status_code == 200
        assert b"Site administration" in response.content

    def test_a_stranger_is_sent_to_the_login(self, db):
        response = Client().get("/admin/accounts/tenant/")

        assert (response.status_code, response["Location"]) == (302, "/admin/login/?next=/admin/accounts/tenant/")

    @BY_APP
    @pytest.mark.parametrize("who", [*slow("root"), "confined"])
    def test_list_and_add_open(self, rows, request, who, app):
        browser = request.getfixturevalue(who)
        allowed = {200} if who == "root" else {200, 403}
        opened = {
            model._meta.label: (
                browser.get(page(model, "changelist")).status_code in allowed,
                browser.get(page(model, "changelist") + "?q=a&o=1").status_code in {*allowed, 302},
                browser.get(page(model, "add")).status_code in {200, 403},
            )
            for model in OF_APP[app]
        }

        assert opened == dict.fromkeys(opened, (True, True, True))

    @pytest.mark.parametrize(
        "model", [Tenant, ApiClient, FeatureFlag, TenantUsage, Item, EndUser], ids=lambda model: model.__name__
    )
    @pytest.mark.parametrize("who", [*slow("root"), "confined"])
    def test_change_history_and_delete_open(self, rows, request, who, model):
        browser = request.getfixturevalue(who)
        with scope.tenant(rows.acme.tenant.pk):
            key = model.objects.values_list("pk", flat=True).first()

        assert browser.get(page(model, "change", key)).status_code == 200
        assert browser.get(page(model, "history", key)).status_code == 200
        assert browser.get(page(model, "delete", key)).status_code in {200, 403}

    def test_the_list_costs_no_query_for_each_row(self, rows, root, django_assert_max_num_queries):
        with scope.tenant(rows.acme.tenant.pk):
            for number in range(30):
                clients.issue(tenant=rows.acme.tenant, name=f"client {number}", scopes=[])
        with django_assert_max_num_queries(20):
            assert root.get(page(ApiClient, "changelist")).status_code == 200


class TestFlags:
    def test_a_change_takes_effect(self, cast, root):
        sent = {"tenant": cast.acme.tenant.pk, "name": "recommendations", "percent": 0}
        assert root.post(page(FeatureFlag, "add"), sent).status_code == 302
        tenant_cache.load()

        assert not flags.is_on("recommendations", tenant_id=cast.acme.tenant.pk, user_id="u")
        assert flags.is_on("recommendations", tenant_id=cast.globex.tenant.pk, user_id="u")

    @pytest.mark.parametrize("percent", ["101", "-1", "x", ""])
    def test_no_nonsense(self, cast, root, percent):
        sent = {"tenant": cast.acme.tenant.pk, "name": "recommendations", "percent": percent}

        assert root.post(page(FeatureFlag, "add"), sent).status_code == 200

    def test_in_the_list(self, rows, root):
        with scope.tenant(rows.acme.tenant.pk):
            flag = FeatureFlag.objects.get()
        sent = {
            "form-TOTAL_FORMS": "1",
            "form-INITIAL_FORMS": "1",
            "form-0-id": flag.pk,
            "form-0-percent": "5",
            "_save": "Save",
        }
        response = root.post(page(FeatureFlag, "changelist") + f"?tenant__id__exact={rows.acme.tenant.pk}", sent)

        with scope.tenant(rows.acme.tenant.pk):
            flag.refresh_from_db()
        assert (response.status_code, flag.percent) == (302, 5)


class TestUsage:
    def test_shows_what_is_used_and_left_of_the_plan(self, rows, root):
        unlimited = root.get(page(TenantUsage, "changelist")).content
        with scope.all_tenants("test: a quota"):
            Plan.objects.update(requests_per_month=1007)
        limited = root.get(page(TenantUsage, "changelist")).content

        assert unlimited.count(b'<td class="field-left">unlimited</td>') == 2
        assert limited.count(b'<td class="field-used">7</td>') == 2
        assert limited.count(b'<td class="field-left">1000</td>') == 2

    def test_is_the_service_s_and_cannot_be_written(self, rows, root):
        with scope.tenant(rows.acme.tenant.pk):
            key = TenantUsage.objects.get().pk

        assert root.post(page(TenantUsage, "change", key), {"used": 0}).status_code == 403
        assert root.get(page(TenantUsage, "add")).status_code == 403


class TestPlan:
    def test_an_empty_limit_is_unlimited_and_zero_is_refused(self, rows, root):
        plan = Plan.objects.get()
        sent = {
            "name": "Test",
            "read_per_minute": "0",
            "write_per_minute": "",
            "read_burst": "600",
            "on_quota": "static",
            "backend_percent": "20",
        }

        assert b"greater than or equal to 1" in root.post(page(Plan, "change", plan.pk), sent).content
        assert root.post(page(Plan, "change", plan.pk), {**sent, "read_per_minute": "60"}).status_code == 302

        limits = Plan.objects.get().limits()
        assert limits.rates["read"] == RateLimit("read", 60, 60, 60)
        assert limits.rates["write"] is None
        assert limits.quota == Quota(None, on_quota="static")


class TestBoundedPaginator:
    def test_counts_no_further_than_it_must(self, cast, monkeypatch):
        from accounts.admin.base import BoundedPaginator
        from recommendations.models import Item

        monkeypatch.setattr(BoundedPaginator, "most", 3)
        with scope.tenant(cast.acme.tenant.pk):
            Item.objects.bulk_create(Item(tenant=cast.acme.tenant, item_id=f"i{n}") for n in range(5))

            paginator = BoundedPaginator(Item.objects.order_by("item_id"), 2)

            assert (paginator.count, paginator.num_pages) == (3, 2)
