"""SSRF protection: webhooks may reach the public internet, over HTTPS, and no private network.

The name is resolved once, every address that it has is judged, and the connection goes to one that was judged, so that
a name cannot answer differently the second time. WEBHOOK_ALLOW_LOCAL (tests, development) lifts all of it.
"""

import ipaddress
import queue
import socket
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

LOOK_UP_SECONDS = 5.0
# Look-ups that have not ended: a resolver that hangs may hold so many threads and no more.
_LOOK_UPS = threading.BoundedSemaphore(16)
# Handed out for protocols, not for hosts; `is_global` of some versions of Python lets them through.
_RESERVED = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24")))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All of IPv6 that is handed out to be reached. The rest leads behind walls, or to IPv4 in ways that a list of what is
# forbidden would miss: site-local, IPv4-compatible and translated addresses, NAT64 with a prefix of one's own.
_UNICAST = ipaddress.ip_network("2000::/3")
_DOCUMENTATION = ipaddress.ip_network("3fff::/20")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(Exception):
    """The address may not be reached; says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL, and the address to connect to."""

    host: str
    port: int
    path: str
    tls: bool
    address: str

    @property
    def host_header(self) -> str:
        """The name, and the port where it is not the usual one."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.tls else 80) else f"{name}:{self.port}"


def check_url(url: str) -> tuple[str, int, str, bool]:
    """Host, port, path and whether it is HTTPS.

    Raises: AddressRefused, also for a literal address that may not be reached.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise AddressRefused("This is not a URL.") from None
    schemes = ("https", "http") if settings.WEBHOOK_ALLOW_LOCAL else ("https",)
    if parts.scheme not in schemes or not host or port == 0:
        raise AddressRefused("Give an https:// URL with a host.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressRefused("Leave user, password and fragment out: the signature says who is calling.")
    if any(ord(character) <= 32 or ord(character) > 126 for character in url):
        raise AddressRefused("Percent-encode spaces and characters outside ASCII.")
    tls = parts.scheme == "https"
    literal = _literal(host)
    if literal is not None:
        _judge(literal)
    elif not settings.WEBHOOK_ALLOW_LOCAL and ("." not in host.strip(".") or host.rstrip(".").endswith(".localhost")):
        raise AddressRefused(f"{host} is a local name.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return host, port or (443 if tls else 80), path, tls


def resolve(url: str) -> Target:
    """Returns the address to connect to.

    Raises: AddressRefused; OSError when the name cannot be resolved within LOOK_UP_SECONDS.
    """
    host, port, path, tls = check_url(url)
    found = _look_up(host, port)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        _judge(ipaddress.ip_address(address.partition("%")[0]))
    return Target(host, port, path, tls, addresses[0])


def _look_up(host: str, port: int) -> list[Any]:
    """The resolver's answer. It has no time-out that a caller could set, so it is asked in a thread and left behind."""
    if _literal(host) is not None:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    look_ups = _LOOK_UPS
    if not look_ups.acquire(blocking=False):
        raise TimeoutError("too many name look-ups are under way")
    answers: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001  # raised again where it was asked
            answers.put(error)
        finally:
            look_ups.release()

    threading.Thread(target=ask, name="webhook-look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=LOOK_UP_SECONDS)
    except queue.Empty:
        raise TimeoutError(f"the name was not resolved within {LOOK_UP_SECONDS:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _literal(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _judge(address: _Address) -> None:
    if settings.WEBHOOK_ALLOW_LOCAL:
        return
    inner = _embedded(address)
    elsewhere = isinstance(inner, ipaddress.IPv6Address) and (inner not in _UNICAST or inner in _DOCUMENTATION)
    reserved = any(inner in network for network in _RESERVED if network.version == inner.version)
    if elsewhere or reserved or inner.is_multicast or not inner.is_global:
        raise AddressRefused(f"{address} is not an address of the public internet.")


def _embedded(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
