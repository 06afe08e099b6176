"""The admin: every page opens, staff of one tenant stay inside it, and what is done there takes effect."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from accounts.models import ApiClient, FeatureFlag, Plan, Tenant, TenantUsage, User
from accounts.tenancy import flags, scope, tenant_cache
from accounts.tokens import clients
from core.ratelimit import Quota, RateLimit
from recommendations.models import EndUser, Item

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
# By app: a cast for each of the models would take longer than its pages.
OF_APP = {
    app: [model for model in MODELS if model._meta.app_label == app] for app in {m._meta.app_label for m in MODELS}
}
BY_APP = pytest.mark.parametrize("app", sorted(OF_APP))
# What a form of a tenant has to carry.
ATTRIBUTION = {"impressions": "implied", "attribution_hours": 168, "conversion_types": "purchase"}
PASSWORD = "correct horse battery staple"
SECRET = re.compile(r'<code id="secret-1">(\S{43})</code>')
CONFIRMED = {"_confirmed": "yes", "_reason": "a test"}


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def staff(name, **fields):
    person = User.objects.create_user(name, f"{name}@example.org", PASSWORD, is_staff=True, **fields)
    browser = Client(raise_request_exception=False)
    assert browser.login(username=name, password=PASSWORD)
    return person, browser


@pytest.fixture
def root(cast):
    """A superuser of the deployment."""
    return staff("root", is_superuser=True)[1]


@pytest.fixture
def confined(cast):
    """Staff of acme with every permission that there is."""
    person, browser = staff("inside", tenant=cast.acme.tenant)
    person.user_permissions.set(Permission.objects.all())
    return browser


@pytest.fixture
def rows(cast):
    """Something of either tenant to see."""
    for member in (cast.acme, cast.globex):
        with scope.tenant(member.tenant.pk):
            slug = member.tenant.slug
            Item.objects.create(tenant=member.tenant, item_id=f"item-of-{slug}", title=f"title-of-{slug}")
            EndUser.objects.create(tenant=member.tenant, user_id=f"person-of-{slug}")
            FeatureFlag.objects.create(tenant=member.tenant, name="ai", percent=50)
            TenantUsage.objects.create(tenant=member.tenant, month="2026-11", used=7)
    return cast


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
    @pytest.mark.parametrize("who", ["root", "confined"])
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
    @pytest.mark.parametrize("who", ["root", "confined"])
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
