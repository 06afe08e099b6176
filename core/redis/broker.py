"""Celery's connection to its broker, from the same URL forms and with the same limits as our own client."""

from typing import Any

from django.conf import settings

from core.redis.address import Address, parse
from core.redis.connection import SENTINEL_OPTIONS, options


def broker_url(url: str) -> str:
    """The URL as kombu reads it: it wants a Sentinel one spelt out for each host.

    Raises: ValueError for a URL that core.redis.address refuses, and for a cluster's: Celery cannot use one.
    """
    address = parse(url)
    if address.kind == "cluster":
        raise ValueError("Celery cannot use a Redis Cluster: name a server of its own.")
    if address.kind == "plain":
        return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix:") else url
    return ";".join(
        f"sentinel://{_credentials(url)}{_bracketed(host)}:{port}/{address.database}" for host, port in address.hosts
    )


def broker_options(*, worker: bool) -> dict[str, Any]:
    """Celery's transport options for CELERY_BROKER_URL. A worker waits for its broker, a web process must not.

    The restore settings hand the tasks of a killed worker out again as soon as their visibility ends; the defaults
    look only every hundred seconds and at ten tasks (kombu 5.7).
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
    return {
        "master_name": address.master,
        "sentinel_kwargs": {**SENTINEL_OPTIONS, "password": password, "ssl": address.tls},
    }


def _credentials(url: str) -> str:
    given, at, _ = url.partition("://")[2].partition("/")[0].rpartition("@")
    return given + at


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
