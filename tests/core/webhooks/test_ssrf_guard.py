"""Addresses that webhooks may not reach."""

import socket
import threading
import time

import pytest

from core.webhooks import http, ssrf_guard
from core.webhooks.ssrf_guard import AddressRefused
from tests.core.webhooks.receiver import receiver, secure_receiver


@pytest.fixture(autouse=True)
def _production(settings):
    settings.WEBHOOK_ALLOW_LOCAL = False


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1.2.3:8443/",
        "https://10.0.0.8/hook",
        "https://172.16.0.1/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[ff02::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:0:127.0.0.1]/",
        "https://[64:ff9b:1::7f00:1]/",
        "https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/",
        "https://[fec0::1]/",
        "https://[2001:db8::1]/",
        "https://[3fff::1]/",
        "https://[5f00::1]/",
        "https://[100::1]/",
        "https://localhost/",
        "https://metadata/",
        "https://api.localhost/",
        "http://example.org/",
        "ftp://example.org/",
        "https://user:password@example.org/",
        "https://example.org/#part",
        "https://example.org:0/",
        "https://exa mple.org/",
        "https:///nowhere",
        "example.org",
        "",
    ],
)
def test_are_refused_as_they_stand(url):
    with pytest.raises(AddressRefused):
        ssrf_guard.check_url(url)


def test_a_public_address_is_taken():
    assert ssrf_guard.check_url("https://hooks.example.org/a?b=c") == ("hooks.example.org", 443, "/a?b=c", True)
    assert ssrf_guard.check_url("https://93.184.216.34:8443") == ("93.184.216.34", 8443, "/", True)
    assert ssrf_guard.check_url("https://[2606:2800:220:1::1]/")[0] == "2606:2800:220:1::1"
    assert ssrf_guard.check_url("https://[::ffff:93.184.216.34]/")[0] == "::ffff:93.184.216.34"


@pytest.mark.parametrize(
    "found",
    [
        ["10.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["::1"],
        ["fe80::1%eth0"],
        ["::ffff:10.0.0.1"],
        ["2606:2800:220:1::1", "::ffff:169.254.169.254"],
        ["64:ff9b:1::a00:1"],
    ],
)
def test_are_refused_when_a_public_name_leads_there(monkeypatch, found):
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: answers)

    outcome = http.post("https://hooks.example.org/", body=b"{}", headers={})

    assert not outcome.delivered
    assert "not an address of the public internet" in outcome.error


def test_the_name_is_resolved_once_and_the_connection_goes_there(monkeypatch, settings):
    settings.WEBHOOK_ALLOW_LOCAL = True
    real, asked = socket.getaddrinfo, []

    def answer(host, *arguments, **options):
        if host != "hooks.example.org":
            return real(host, *arguments, **options)
        asked.append(host)
        where = "127.0.0.1" if len(asked) == 1 else "192.0.2.1"  # another answer the second time
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (where, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with receiver() as hook:
        port = hook.url.split(":")[2].split("/")[0]
        outcome = http.post(f"http://hooks.example.org:{port}/hook", body=b"{}", headers={})

    assert outcome.delivered
    assert asked == ["hooks.example.org"]
    assert hook.received[0][0]["host"] == f"hooks.example.org:{port}"


@pytest.fixture
def trusted(monkeypatch, tmp_path):
    """The system trusts the certificate of this folder."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    http._context.cache_clear()
    yield tmp_path
    http._context.cache_clear()


@pytest.mark.parametrize(("of", "delivered"), [("hooks.example.org", True), ("other.example.org", False)])
def test_the_certificate_must_be_the_names_and_not_the_addresses(monkeypatch, settings, trusted, of, delivered):
    settings.WEBHOOK_ALLOW_LOCAL = True
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **options: real("127.0.0.1" if host == "hooks.example.org" else host, *more, **options),
    )
    with secure_receiver(trusted, of) as hook:
        port = hook.url.split(":")[2].split("/")[0]
        outcome = http.post(f"https://hooks.example.org:{port}/hook", body=b"{}", headers={})

    assert (outcome.delivered, len(hook.received)) == (delivered, int(delivered))
    assert delivered or "certificate" in outcome.error.lower()


class TestLookUp:
    def test_that_hangs_ends_in_time_and_is_an_outcome(self, monkeypatch, settings):
        settings.WEBHOOK_ALLOW_LOCAL = True
        let_go = threading.Event()
        monkeypatch.setattr(ssrf_guard, "LOOK_UP_SECONDS", 0.2)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: let_go.wait(30) and [])
        started = time.monotonic()

        outcome = http.post("http://hooks.example.org/", body=b"{}", headers={})
        let_go.set()

        assert time.monotonic() - started < 5
        assert "not resolved within 0.2 s" in outcome.error

    def test_that_hang_are_bounded(self, monkeypatch, settings):
        settings.WEBHOOK_ALLOW_LOCAL = True
        let_go, asked = threading.Event(), []

        def hang(*_, **__):
            asked.append(1)
            let_go.wait(30)
            return []

        monkeypatch.setattr(ssrf_guard, "LOOK_UP_SECONDS", 0.01)
        monkeypatch.setattr(ssrf_guard, "_LOOK_UPS", threading.BoundedSemaphore(3))
        monkeypatch.setattr(socket, "getaddrinfo", hang)
        outcomes = [http.post("http://hooks.example.org/", body=b"{}", headers={}) for _ in range(5)]
        let_go.set()

        assert len(asked) == 3
        assert "too many name look-ups" in outcomes[-1].error

    def test_that_fails_says_so(self, monkeypatch, settings):
        settings.WEBHOOK_ALLOW_LOCAL = True

        def fail(*_, **__):
            raise socket.gaierror(-2, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", fail)

        assert "Name or service" in http.post("http://hooks.example.org/", body=b"{}", headers={}).error


@pytest.mark.parametrize("address", ["192.0.0.8", "192.88.99.1", "::ffff:192.0.0.8", "64:ff9b::c058:6301"])
def test_addresses_of_protocols_are_no_receivers(settings, address):
    settings.WEBHOOK_ALLOW_LOCAL = False
    host = f"[{address}]" if ":" in address else address

    with pytest.raises(AddressRefused):
        ssrf_guard.check_url(f"https://{host}/")
