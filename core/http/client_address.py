"""Client IP address behind trusted proxies."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

UNKNOWN = "0.0.0.0"  # noqa: S104  # callers without a known address share one limit


def client_ip(request: HttpRequest) -> str:
    """Returns the caller's IP address; UNKNOWN if there is none, as behind a Unix socket.

    With TRUSTED_PROXIES=n it is the n-th address from the right of X-Forwarded-For: each of our proxies appends the
    address that called it, and everything to the left of that is the caller's own claim.
    """
    direct = str(request.META.get("REMOTE_ADDR", ""))
    if not settings.TRUSTED_PROXIES:
        return _valid(direct)
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if len(hops) < settings.TRUSTED_PROXIES:
        return _valid(direct)
    return _valid(hops[-settings.TRUSTED_PROXIES])


def _valid(text: str) -> str:
    if text.startswith("["):  # [2001:db8::1]:4711
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # 192.0.2.1:4711
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return UNKNOWN
