"""The headers that a production deployment sends with everything."""

import pytest
from django.test import Client

from config.settings import base


@pytest.fixture
def production(settings):
    for name in ("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD"):
        setattr(settings, name, getattr(base, name))
    settings.SECURE_SSL_REDIRECT = True
    return Client()


@pytest.mark.parametrize("path", ["/", "/api/v1/items", "/admin/login/", "/nothing"])
def test_browsers_keep_to_https_for_a_year(db, production, path):
    answer = production.get(path, secure=True)

    assert answer["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
    assert "Content-Security-Policy" in answer


def test_plain_http_is_sent_to_https(production):
    answer = production.get("/api/v1/items")

    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/api/v1/items")
