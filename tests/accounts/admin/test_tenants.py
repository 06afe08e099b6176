"""A tenant's page: whose web pages may call, and what is used of the plan."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.forms import model_to_dict
from django.test import Client
from django.urls import reverse

from accounts.models import Plan, Tenant, TenantUsage, User
from accounts.tenancy import scope
from core import clock
from core.ratelimit import billing_periods


def page(model, name, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def staff(name, **fields):
    person = User.objects.create_user(name, is_staff=True, **fields)
    browser = Client()
    browser.force_login(person)
    return person, browser


@pytest.fixture
def root(cast):
    return staff("root", is_superuser=True)[1]


@pytest.fixture
def confined(cast):
    """Staff of acme with every permission that there is."""
    person, browser = staff("inside", tenant=cast.acme.tenant)
    person.user_permissions.set(Permission.objects.all())
    return browser


class TestOrigins:
    def change(self, cast, browser, lines):
        tenant = cast.acme.tenant
        form = {name: value for name, value in model_to_dict(tenant).items() if value is not None}
        form["allowed_origins"] = lines
        return browser.post(page(Tenant, "change", tenant.pk), form)

    def listed(self, cast):
        with scope.tenant(cast.acme.tenant.pk):
            return Tenant.objects.get().allowed_origins

    @pytest.mark.parametrize("who", ["root", "confined"])
    def test_are_written_one_in_a_line(self, cast, request, who):
        browser = request.getfixturevalue(who)
        lines = "https://shop.example.org\r\n\r\n  https://www.example.org:8443 "

        assert self.change(cast, browser, lines).status_code == 302
        assert self.listed(cast) == ["https://shop.example.org", "https://www.example.org:8443"]
        assert "https://shop.example.org\nhttps://www" in browser.get(
            page(Tenant, "change", cast.acme.tenant.pk)
        ).content.decode().replace("\r", "")
        assert self.change(cast, browser, "").status_code == 302
        assert self.listed(cast) == []

    @pytest.mark.parametrize(
        ("lines", "because"),
        [
            ("https://*.example.org", "is a wildcard"),
            ("https://shop.example.org\nnull", "null: is the origin of any page without one"),
            ("http://shop.example.org", "does not start with https://"),
            ("https://localhost", "is a local address"),
            ("https://a.example.org\nhttps://a.example.org", "listed twice"),
            ("\n".join(f"https://a{number}.example.org" for number in range(51)), "at most 50"),
        ],
    )
    def test_are_refused_where_production_may_not_have_them(self, cast, root, settings, lines, because):
        settings.PRODUCTION = True
        response = self.change(cast, root, lines)

        assert response.status_code == 200
        assert because in response.content.decode()
        assert self.listed(cast) == []


class TestQuota:
    def test_the_tenants_page_shows_what_is_used_and_left(self, cast, root):
        with scope.tenant(cast.acme.tenant.pk):
            TenantUsage.objects.create(
                tenant=cast.acme.tenant, month=billing_periods.month_at(clock.now()).name, used=7
            )
            TenantUsage.objects.create(tenant=cast.acme.tenant, month="2020-01", used=9)
        with scope.all_tenants("test: a quota"):
            Plan.objects.update(requests_per_month=10)

        rows = root.get(page(Tenant, "changelist")).content.decode()
        one = root.get(page(Tenant, "change", cast.acme.tenant.pk)).content.decode()

        assert re.findall(r'field-used">(\d+)</td><td class="field-left">(\d+)<', rows) == [("7", "3"), ("0", "10")]
        assert re.findall(r'<div class="readonly">(\d+)</div>', one) == ["7", "3"]
