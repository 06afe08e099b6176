"""A secret is in the answer to the request that made it, and nowhere else: no cookie, log, session or entry."""

import logging

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core.cache import cache

from accounts.models import ApiClient
from accounts.tenancy import scope
from core.webhooks.models import WebhookEndpoint
from tests.accounts.admin.people import act, entries, page, staff


@pytest.fixture
def root(cast):
    return staff("root", is_superuser=True)[1]


def add_client(browser, cast):
    sent = {"tenant": cast.acme.tenant.pk, "name": "shop", "scopes": ["catalog:read"], "active": "on"}
    return browser.post(page(ApiClient, "add"), sent)


def add_webhook(browser, cast):
    sent = {"tenant": cast.acme.tenant.pk, "url": "https://hooks.example.org/", "events": ["build.published"]}
    return browser.post(page(WebhookEndpoint, "add"), {**sent, "active": "on"})


def rotate_webhook(browser, cast):
    add_webhook(browser, cast)
    with scope.tenant(cast.acme.tenant.pk):
        return act(browser, WebhookEndpoint, "rotate", WebhookEndpoint.objects.get().pk)


ISSUING = {
    "add client": add_client,
    "rotate client": lambda browser, cast: act(browser, ApiClient, "rotate_secret", cast.acme.reader.client.pk),
    "renew client": lambda browser, cast: act(browser, ApiClient, "renew_secret", cast.acme.reader.client.pk),
    "add webhook": add_webhook,
    "rotate webhook": rotate_webhook,
}


@pytest.mark.parametrize("how", ISSUING)
def test_a_secret_is_in_the_answer_and_nowhere_else(cast, root, caplog, how):
    caplog.set_level(logging.DEBUG)
    response = ISSUING[how](root, cast)
    secret = response.context["issued"][0].secret

    assert response.status_code == 200
    assert f'<code id="secret-1">{secret}</code>' in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert "Shown once" in response.content.decode()
    cookies = [morsel.OutputString() for morsel in (*response.cookies.values(), *root.cookies.values())]
    kept = [str(each.get_decoded()) for each in Session.objects.all()]
    kept += [f"{entry.changes} {entry.note} {entry.target}" for entry in entries()]
    kept += [f"{entry.change_message} {entry.object_repr}" for entry in LogEntry.objects.all()]
    kept += [f"{line.getMessage()} {line.__dict__}" for line in caplog.records if line.name != "django.db.backends"]
    assert entries()
    for place in (*cookies, *kept):
        assert secret not in place
    follow = root.get(page(ApiClient, "changelist")).content.decode()
    assert secret not in follow
    assert cache.get(secret) is None


def test_every_action_that_shows_a_secret_is_tried_here():
    """Whoever adds one adds it to ISSUING."""
    from django.contrib import admin

    secret_actions = {
        (model.__name__, spec.name)
        for model, page_of in admin.site._registry.items()
        for name in page_of.actions or ()
        if (spec := getattr(getattr(type(page_of), str(name), None), "spec", None)) and spec.secret
    }
    keys_only = {("SigningKey", "rotate"), ("SigningKey", "replace_compromised"), ("User", "reset_second_factor")}
    tried = {("ApiClient", "rotate_secret"), ("ApiClient", "renew_secret"), ("WebhookEndpoint", "rotate")}
    assert secret_actions - keys_only == tried


def test_messages_are_in_no_cookie(settings):
    assert settings.MESSAGE_STORAGE == "django.contrib.messages.storage.session.SessionStorage"
