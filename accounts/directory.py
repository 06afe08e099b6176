"""What every request must know of tenants and clients, as a copy in the process: at most 5 s old, no SQL to read.

A thread renews it every PROCESS_REFRESH_SECONDS outside requests (`start`). Where none runs, as in a worker or a
command, a reader renews it itself once it is that old. When Postgres is away, the last copy serves on.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from django.conf import settings
from django.db import Error, close_old_connections, connection
from psycopg_pool import PoolTimeout

from accounts import scope
from accounts.models import ApiClient, FeatureFlag, Tenant

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """What a request needs of its tenant."""

    id: int
    slug: str
    create_unknown: bool
    locale: str
    flags: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Directory:
    """One consistent copy. `denied` holds the clients that may no longer call."""

    tenants: Mapping[int, TenantFacts] = field(default_factory=dict)
    denied: frozenset[str] = frozenset()
    loaded_at: float = float("-inf")


_current = Directory()
_thread: threading.Thread | None = None
_lock = threading.Lock()


def load() -> Directory:
    """Reads the copy anew and makes it the process's own."""
    global _current
    with scope.all_tenants("directory: tenants, clients and flags of this process"):
        flags: dict[int, dict[str, int]] = {}
        for tenant_id, name, percent in FeatureFlag.objects.values_list("tenant_id", "name", "percent"):
            flags.setdefault(tenant_id, {})[name] = percent
        tenants = {
            row.pk: TenantFacts(row.pk, row.slug, row.create_unknown, row.locale, flags.get(row.pk, {}))
            for row in Tenant.objects.filter(active=True)
        }
        denied = frozenset(ApiClient.objects.filter(active=False).values_list("client_id", flat=True))
    _current = Directory(tenants, denied, time.monotonic())
    return _current


def current() -> Directory:
    """The process's copy; loads it when there is none, or when no thread renews it and it is too old."""
    age = time.monotonic() - _current.loaded_at
    if age < settings.PROCESS_REFRESH_SECONDS or (_thread is not None and _thread.is_alive()):
        return _current
    return _try_load()


def start() -> None:
    """Loads the copy and renews it in a thread from now on. Called once in each web process, after the fork."""
    global _thread
    with _lock:
        if _thread is None or not _thread.is_alive():
            _try_load()
            _thread = threading.Thread(target=_renew, name="directory", daemon=True)
            _thread.start()


def tenant(tenant_id: int) -> TenantFacts | None:
    """The active tenant's facts, or None. One that is not in the copy yet is looked for once."""
    facts = current().tenants.get(tenant_id)
    if facts is None and time.monotonic() - _current.loaded_at > 0.5:
        facts = _try_load().tenants.get(tenant_id)
    return facts


def _renew() -> None:
    while True:
        time.sleep(settings.PROCESS_REFRESH_SECONDS)
        _try_load()
        close_old_connections()
        connection.close()


def _try_load() -> Directory:
    try:
        return load()
    except (Error, PoolTimeout) as error:
        _log.warning("directory_not_renewed", error=str(error))
        return _current
