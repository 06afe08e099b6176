"""Validation of origins (RFC 6454) whose pages may call the API.

A list is compared character by character, so an entry must be written as browsers send it: scheme, host in lower case
and ASCII, a port only where it is not the scheme's own, and nothing else. What could match more than one origin, or one
that anybody can have, is refused.
"""

import ipaddress
import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS = {"https": 443, "http": 80}
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".test", ".invalid", ".example")


@lru_cache(maxsize=4096)
def refusal_reason(origin: str, *, production: bool) -> str:
    """Returns why the origin is invalid, or an empty string. Plain HTTP and local hosts are valid in development."""
    if "*" in origin:
        return "is a wildcard"
    if origin.lower() == "null":
        return "is the origin of any page without one"
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "is not an origin"
    schemes = ("https",) if production else ("https", "http")
    if parts.scheme not in schemes or not host:
        return f"does not start with {' or '.join(f'{scheme}://' for scheme in schemes)} and a host"
    return _unlike_a_browser(origin, parts, host, port) or (
        "is a local address" if production and _is_local(host) else ""
    )


def _unlike_a_browser(origin: str, parts: SplitResult, host: str, port: int | None) -> str:
    if host.startswith("."):
        return "would match by its end: name each host"
    if not host.isascii():
        return "is not ASCII: browsers send such a host in punycode (xn--)"
    if not _is_host(host):
        return "does not name a host"
    bracketed = f"[{host}]" if ":" in host else host
    expected = f"{parts.scheme}://{bracketed}" + (
        "" if port is None or port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    )
    return "" if origin == expected else f"is not what a browser sends, which is {expected}"


def _is_host(host: str) -> bool:
    try:
        return str(ipaddress.ip_address(host)) == host
    except ValueError:
        labels = host.split(".")
        # A browser takes a last label of digits for a number of an address, and sends the address in its usual form.
        numeric = labels[-1].isdigit() or labels[-1].startswith("0x")
        return not numeric and len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def _is_local(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_NAMES)
