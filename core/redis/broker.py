"""Celery's connection to its broker, from the same URL forms and with the same limits as our own client."""

import ssl
from typing import Any
from urllib.parse import quote

from django.conf import settings

from core.redis.address import Address, parse
from core.redis.connection import SENTINEL_OPTIONS, options

_VERIFICATION = {"required": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "none": ssl.CERT_NONE}


def broker_url(url: str) -> str:
    """The URL as kombu reads it: one for each Sentinel, and without options that kombu reads otherwise than redis-py.

    Raises: ValueError for a URL that core.redis.address refuses, and for a cluster's: Celery cannot use one.
    """
    address = parse(url)
    if address.kind == "cluster":
        raise ValueError("Celery cannot use a Redis Cluster: name a server of its own.")
    if address.kind == "unix":
        return f"redis+socket://{_credentials(address)}{quote(address.path)}?virtual_host={address.database}"
    scheme = "sentinel" if address.kind == "sentinel" else "rediss" if address.tls else "redis"
    return ";".join(
        f"{scheme}://{_credentials(address)}{_bracketed(host)}:{port}/{address.database}"
        for host, port in address.hosts
    )


def broker_tls(url: str) -> dict[str, Any] | None:
    """Celery's `broker_use_ssl`: None without TLS. Left to itself kombu would verify no certificate, and would speak to
    the master behind Sentinels without TLS.

    Raises: ValueError for a URL that core.redis.address refuses.
    """
    address = parse(url)
    if not address.tls:
        return None
    found = {"ssl_cert_reqs": "required", **address.tls_options}
    return {**found, "ssl_cert_reqs": _VERIFICATION[str(found["ssl_cert_reqs"])]}


def broker_options(*, worker: bool) -> dict[str, Any]:
    """Celery's transport options for CELERY_BROKER_URL. A worker waits for its broker, a web process must not.

    The restore settings hand the tasks of a killed worker out again as soon as their visibility ends; the defaults
    look only every hundred seconds and at ten tasks (kombu 5.7).

    Raises: ValueError for a URL that core.redis.address refuses.
    """
    ours = options()
    found: dict[str, Any] = {
        "visibility_timeout": settings.BROKER_VISIBILITY_SECONDS,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 2.0 if worker else ours["socket_connect_timeout"],
        "socket_timeout": 15.0 if worker else ours["socket_timeout"],
        "socket_keepalive": ours["socket_keepalive"],
        "socket_keepalive_options": ours["socket_keepalive_options"],
        "health_check_interval": ours["health_check_interval"],
        "retry_on_timeout": worker,
    }
    if not worker:
        # Left to itself kombu connects again and again for some seconds, also where `send_task(retry=False)` was said.
        found["max_retries"] = 0
    address = parse(settings.CELERY_BROKER_URL)
    if address.kind == "sentinel":
        found |= _sentinel(address)
    return found


def _sentinel(address: Address) -> dict[str, Any]:
    password = settings.REDIS_SENTINEL_PASSWORD or None
    tls = {"ssl": True, **address.tls_options} if address.tls else {}
    return {"master_name": address.master, "sentinel_kwargs": {**SENTINEL_OPTIONS, "password": password, **tls}}


def _credentials(address: Address) -> str:
    if address.username is None and address.password is None:
        return ""
    return f"{quote(address.username or '', safe='')}:{quote(address.password or '', safe='')}@"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
