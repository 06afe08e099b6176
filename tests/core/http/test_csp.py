"""The Content-Security-Policy of pages and of everything else. In a real browser: tests/browser."""

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import User
from core.http.csp import HEADER

PAGES = ["/", "/api/docs/", "/api/redoc/", "/admin/login/"]
_SCRIPT = re.compile(r"<script\b(?![^>]*\bsrc=)([^>]*)>", re.IGNORECASE)
_STYLE = re.compile(r"<style\b([^>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"<[a-z][^<>]*\s(?:style|on[a-z]+)=[\"']", re.IGNORECASE)
_DATA = re.compile(r"type=[\"']application/(?:ld\+)?json[\"']", re.IGNORECASE)


def directives(response):
    return dict(part.strip().partition(" ")[::2] for part in response[HEADER].split(";"))


def forbidden(response):
    """Scripts and styles that the page's own policy would block."""
    text = response.content.decode()
    nonce = re.search(r"'nonce-([^']+)'", response[HEADER])
    inline = [*_SCRIPT.findall(text), *_STYLE.findall(text)]
    allowed = f'nonce="{nonce[1]}"' if nonce else None
    return [
        *(found for found in inline if not (allowed and allowed in found) and not _DATA.search(found)),
        *_ATTRIBUTE.findall(text),
    ]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_runs_what_is_ours_and_stands_in_no_frame(db, path):
    response = Client().get(path)
    found = directives(response)

    assert found["default-src"] == found["frame-ancestors"] == found["base-uri"] == "'none'"
    assert found["form-action"] == found["connect-src"] == "'self'"
    assert "unsafe" not in response[HEADER]
    assert re.fullmatch(r"'self'( 'nonce-[\w+/=]+')?", found["script-src"])
    assert not re.search(r"https?:|\*", response[HEADER])
    assert forbidden(response) == []


def test_a_nonce_is_good_for_one_answer(db):
    first, second = (directives(Client().get("/api/redoc/"))["script-src"] for _ in range(2))

    assert "nonce-" in first
    assert first != second


@pytest.mark.parametrize("path", ["/api/v1/items", "/api/schema.json", "/nothing", "/.well-known/jwks.json"])
def test_what_is_no_page_may_do_nothing(db, path):
    assert Client().get(path)[HEADER] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.slow
def test_no_page_of_the_admin_needs_more(db):
    User.objects.create_superuser("root", "root@example.org", "correct horse battery staple")
    browser = Client()
    assert browser.login(username="root", password="correct horse battery staple")
    pages = ["/admin/", "/admin/password_change/", *(f"/admin/{app.label}/" for app in apps.get_app_configs())]
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages += [reverse(f"{name}_changelist"), reverse(f"{name}_add")]
    opened = {path: response for path in pages if (response := browser.get(path)).status_code == 200}

    assert len(opened) > len(admin.site._registry)
    assert {path: wrong for path, response in opened.items() if (wrong := forbidden(response))} == {}


def test_a_page_that_breaks_the_policy_would_be_found(db, rf):
    from django.http import HttpResponse

    from core.http.csp import ContentPolicyMiddleware

    text = '<p onclick="a()" style="x"><script>a()</script><script src="a.js"></script><style nonce="other"></style>'
    response = ContentPolicyMiddleware(lambda _: HttpResponse(text))(rf.get("/"))

    assert len(forbidden(response)) == 3
