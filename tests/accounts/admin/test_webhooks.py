"""Webhooks in the admin."""

import html
import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tenancy import scope
from core import clock
from core.webhooks import signatures
from core.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.accounts.admin.people import CONFIRMED

ADD = "admin:core_webhookendpoint_add"
LIST = "admin:core_webhookendpoint_changelist"


@pytest.fixture
def root(cast):
    User.objects.create_superuser("root", "root@example.org", "correct horse battery staple")
    browser = Client()
    browser.login(username="root", password="correct horse battery staple")
    return browser


def add(browser, tenant, **given):
    sent = {"tenant": tenant.pk, "url": "https://hooks.example.org/", "events": ["build.published"], "active": "on"}
    return browser.post(reverse(ADD), sent | given, follow=True)


def test_shows_the_secret_once(cast, root):
    page = add(root, cast.acme.tenant)

    secret = re.search(r"whsec_[A-Za-z0-9+/=]{44}", page.content.decode())
    assert secret
    with scope.tenant(cast.acme.tenant.pk):
        endpoint = WebhookEndpoint.objects.get()
    assert signatures.decrypt_secret(endpoint.secret) == secret[0]
    assert f"Webhook {endpoint.url}" in html.unescape(page.content.decode())
    for again in (reverse(LIST), reverse("admin:core_webhookendpoint_change", args=[endpoint.pk])):
        assert "whsec_" not in root.get(again).content.decode()


def test_rotates(cast, root):
    add(root, cast.acme.tenant)
    with scope.tenant(cast.acme.tenant.pk):
        before = WebhookEndpoint.objects.get()

    page = root.post(reverse(LIST), {"action": "rotate", "_selected_action": [before.pk], **CONFIRMED})

    with scope.tenant(cast.acme.tenant.pk):
        after = WebhookEndpoint.objects.get()
    assert "whsec_" in page.content.decode()
    assert after.previous_secret == before.secret
    assert after.secret != before.secret


def test_refuses_an_address_that_may_not_be_reached(cast, root, settings):
    settings.WEBHOOK_ALLOW_LOCAL = False

    page = add(root, cast.acme.tenant, url="https://169.254.169.254/")

    assert "is not an address of the public internet" in page.content.decode()
    with scope.tenant(cast.acme.tenant.pk):
        assert WebhookEndpoint.objects.count() == 0


def test_tries_an_address_out_and_delivers_again(cast, root):
    add(root, cast.acme.tenant)
    with scope.tenant(cast.acme.tenant.pk):
        endpoint = WebhookEndpoint.objects.get()
    root.post(reverse(LIST), {"action": "try_out", "_selected_action": [endpoint.pk]})
    with scope.tenant(cast.acme.tenant.pk):
        delivery = WebhookDelivery.objects.get()
        WebhookDelivery.objects.update(state="failed", attempts=9, due_at=None)

    deliveries = reverse("admin:core_webhookdelivery_changelist")
    root.post(deliveries, {"action": "again", "_selected_action": [delivery.pk]})

    assert "webhook.test" in root.get(deliveries).content.decode()
    with scope.tenant(cast.acme.tenant.pk):
        delivery.refresh_from_db()
    assert (delivery.type, delivery.state, delivery.attempts) == ("webhook.test", "pending", 0)
    assert delivery.due_at is not None
    assert abs((delivery.due_at - clock.now()).total_seconds()) < 60


def test_confined_staff_make_none_for_others(cast):
    User.objects.create_superuser("acme", "acme@example.org", "correct horse battery staple", tenant=cast.acme.tenant)
    browser = Client()
    browser.login(username="acme", password="correct horse battery staple")

    add(browser, cast.globex.tenant)
    add(browser, cast.acme.tenant)

    with scope.all_tenants("test"):
        assert list(WebhookEndpoint.objects.values_list("tenant_id", flat=True)) == [cast.acme.tenant.pk]
