"""Client IP addresses behind proxies."""

import pytest
from django.http import HttpRequest

from core.http import client_address


def seen(settings, proxies, direct, forwarded=None):
    settings.TRUSTED_PROXIES = proxies
    request = HttpRequest()
    request.META["REMOTE_ADDR"] = direct
    if forwarded is not None:
        request.META["HTTP_X_FORWARDED_FOR"] = forwarded
    return client_address.client_ip(request)


class TestOf:
    @pytest.mark.parametrize(
        ("proxies", "direct", "forwarded", "expected"),
        [
            (0, "192.0.2.1", None, "192.0.2.1"),
            (0, "192.0.2.1", "198.51.100.1", "192.0.2.1"),
            (1, "10.0.0.1", "198.51.100.1", "198.51.100.1"),
            (1, "10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
            (2, "10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
            (2, "10.0.0.1", "198.51.100.1", "10.0.0.1"),
            (1, "10.0.0.1", None, "10.0.0.1"),
            (1, "10.0.0.1", " , ", "10.0.0.1"),
            (1, "10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
            (1, "10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
            (1, "10.0.0.1", "2001:db8::1", "2001:db8::1"),
            (1, "10.0.0.1", "nonsense", client_address.UNKNOWN),
            (0, "", None, client_address.UNKNOWN),
        ],
    )
    def test_is_the_first_that_our_own_proxies_vouch_for(self, settings, proxies, direct, forwarded, expected):
        assert seen(settings, proxies, direct, forwarded) == expected
