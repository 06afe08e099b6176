"""Validation of allowed origins."""

import pytest

from core.origins import refusal_reason


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example.org",
        "https://shop.example.org:8443",
        "https://xn--bcher-kva.example.org",
        "https://a_b.example.org",
        "https://9.9.9.9",
        "https://[2606:4700::1111]",
    ],
)
def test_production_takes_exact_ones(origin):
    assert refusal_reason(origin, production=True) == ""


@pytest.mark.parametrize(
    ("origin", "because"),
    [
        ("*", "wildcard"),
        ("https://*.example.org", "wildcard"),
        ("null", "without one"),
        ("NULL", "without one"),
        ("http://shop.example.org", "https://"),
        ("https://.example.org", "by its end"),
        (".example.org", "https://"),
        ("https://shop.example.org.", "does not name a host"),
        ("https://shop..example.org", "does not name a host"),
        ("https://-shop.example.org", "does not name a host"),
        ("https://shop.example.org%00", "does not name a host"),
        ("https://bücher.example.org", "punycode"),
        ("https://Shop.example.org", "what a browser sends, which is https://shop.example.org"),
        ("HTTPS://shop.example.org", "what a browser sends"),
        ("https://shop.example.org:443", "what a browser sends"),
        ("https://shop.example.org:08443", "what a browser sends"),
        ("https://shop.example.org/", "what a browser sends"),
        (" https://shop.example.org", "what a browser sends"),
        ("https://shop.example.org\n", "what a browser sends"),
        ("https://user@shop.example.org", "what a browser sends"),
        ("https://127.1", "does not name a host"),
        ("https://2130706433", "does not name a host"),
        ("https://0x7f.0.0.0x1", "does not name a host"),
        ("https://localhost", "local"),
        ("https://192.168.1.1", "local"),
        ("https://[::1]", "local"),
        ("https://[::1", "not an origin"),
        ("https://shop", "local"),
        ("https://shop.internal", "local"),
    ],
)
def test_production_refuses_the_rest_and_says_why(origin, because):
    assert because in refusal_reason(origin, production=True)


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://127.0.0.1", "https://shop.test"])
def test_development_takes_local_ones(origin):
    assert refusal_reason(origin, production=False) == ""


@pytest.mark.parametrize("origin", ["*", "null", "http://LOCALHOST", "ftp://localhost", "http://localhost:80", ""])
def test_development_refuses_what_is_no_origin(origin):
    assert refusal_reason(origin, production=False)
