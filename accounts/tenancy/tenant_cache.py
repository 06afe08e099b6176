"""Tenants, clients and keys as a copy in the process, for every request: at most 5 s old, no SQL.

A thread refreshes it every PROCESS_REFRESH_SECONDS outside requests (`start`). Without the thread, as in a worker or a
command, readers refresh it once it is that old. If Postgres is unavailable, the last copy stays in use; a process that
never had one is not ready (`check_ready`). Layers above add their own parts to the copy (`register_part`).
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import Error, connection
from django.db.models import Q
from django.db.models.functions import Now
from psycopg_pool import PoolTimeout

from accounts.keys import signing_keys
from accounts.keys.jwks import SKEW_SECONDS, Ring
from accounts.models import ApiClient, FeatureFlag, RevokedToken, Tenant
from accounts.models.tenant import BrowserLimits
from accounts.tenancy import scope
from core import deadline, origins, process_caches
from core.errors import Unavailable
from core.ratelimit import Limits

_log = structlog.get_logger(__name__)
# A token of an unknown tenant may make a request reload the copy, but not more often than this.
_UNKNOWN_TENANT_SECONDS = 0.5
_RENEWAL_SECONDS = 5.0
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """A tenant's settings that requests need."""

    id: int
    slug: str
    create_unknown: bool
    locale: str
    limits: Limits
    origins: frozenset[str] = frozenset()
    flags: Mapping[str, int] = field(default_factory=dict)
    browsers: BrowserLimits = field(default_factory=BrowserLimits)
    implied_impressions: bool = True
    require_dpop: bool = False
    browser_item_attributes: frozenset[str] = frozenset()
    browser_user_attributes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TenantSnapshot:
    """One copy. `denied` holds the clients that may no longer call, `revoked` the ids of tokens that are refused,
    `origins` those of all tenants' pages. Times are monotonic seconds.
    """

    tenants: Mapping[int, TenantFacts] = field(default_factory=dict)
    origins: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    revoked: frozenset[str] = frozenset()
    ring: Ring = field(default_factory=Ring)
    parts: Mapping[str, Mapping[int, frozenset[str]]] = field(default_factory=dict)
    loaded_at: float = _NEVER
    tried_at: float = _NEVER

    @property
    def is_loaded(self) -> bool:
        """True once Postgres has been read."""
        return self.loaded_at != _NEVER


_current = TenantSnapshot()
_parts: dict[str, Callable[[], Mapping[int, frozenset[str]]]] = {}
_thread: threading.Thread | None = None
_lock = threading.Lock()
_stopping = threading.Event()


def register_part(name: str, read: Callable[[], Mapping[int, frozenset[str]]]) -> None:
    """Adds a part to every copy from now on, as `parts[name]`; `read` runs in a scope of all tenants."""
    _parts[name] = read


def drop_part(name: str) -> None:
    """Removes an outdated part from the copy until the next load."""
    global _current
    _current = replace(_current, parts={part: held for part, held in _current.parts.items() if part != name})


def load(*, with_parts: bool = True) -> TenantSnapshot:
    """Loads a new copy; without `with_parts` the registered parts are carried over."""
    global _current
    with scope.all_tenants("directory: tenants, clients, flags and keys of this process"):
        flags: dict[int, dict[str, int]] = {}
        for tenant_id, name, percent in FeatureFlag.objects.values_list("tenant_id", "name", "percent"):
            flags.setdefault(tenant_id, {})[name] = percent
        tenants = {
            row.pk: TenantFacts(
                id=row.pk,
                slug=row.slug,
                create_unknown=row.create_unknown,
                locale=row.locale,
                limits=row.plan.limits(),
                browsers=row.plan.browser_limits(),
                origins=_usable(row.allowed_origins),
                flags=flags.get(row.pk, {}),
                require_dpop=row.require_dpop,
                browser_item_attributes=frozenset(row.browser_item_attributes),
                browser_user_attributes=frozenset(row.browser_user_attributes),
                implied_impressions=row.impressions == Tenant.Impressions.IMPLIED,
            )
            for row in Tenant.objects.filter(active=True).select_related("plan")
        }
        ended = Q(active=False) | Q(expires_at__lte=Now())
        denied = frozenset(ApiClient.objects.filter(ended).values_list("client_id", flat=True))
        # What was issued with a token may end some seconds after it (tokens.LEEWAY_SECONDS).
        live = RevokedToken.objects.filter(expires_at__gt=Now() - timedelta(seconds=SKEW_SECONDS))
        revoked = frozenset(live.values_list("token_id", flat=True))
        ring = signing_keys.load_ring()
        parts = {name: read() for name, read in _parts.items()} if with_parts else _current.parts
    read_at = time.monotonic()
    _current = TenantSnapshot(
        tenants=tenants,
        origins=frozenset().union(*(facts.origins for facts in tenants.values())),
        denied=denied,
        revoked=revoked,
        ring=ring,
        parts=parts,
        loaded_at=read_at,
        tried_at=read_at,
    )
    return _current


@process_caches.register
def clear() -> None:
    """Drops the copy: the next reader loads it."""
    global _current
    _current = TenantSnapshot()


def current() -> TenantSnapshot:
    """Returns the process's copy; loads it if there is none, or if no thread refreshes it and it is too old.

    Raises: Unavailable when there is none and Postgres is away.
    """
    if _thread is None or not _thread.is_alive():
        # Where no thread renews it, requests do, and what others keep is asked for where it is needed.
        _try_load(settings.PROCESS_REFRESH_SECONDS, with_parts=False)
    elif not _current.is_loaded:
        _try_load(_UNKNOWN_TENANT_SECONDS)
    if not _current.is_loaded:
        raise Unavailable("This process has not been able to read its tenants yet; try again.")
    return _current


def current_or_empty() -> TenantSnapshot:
    """Returns the process's copy like `current`, or an empty one instead of an error."""
    try:
        return current()
    except Unavailable:
        return _current


def check_ready() -> None:
    """For /readyz: whether the process knows its tenants.

    Raises: Unavailable.
    """
    current()


def start() -> None:
    """Loads the copy and refreshes it in a thread from now on. Called once in each web process, after the fork."""
    global _thread
    with _lock:
        if _thread is None or not _thread.is_alive():
            _try_load(0.0)
            _stopping.clear()
            _thread = threading.Thread(target=_renew, name="directory", daemon=True)
            _thread.start()


def stop() -> None:
    """Ends the thread; from then on readers refresh the copy."""
    with _lock:
        _stopping.set()
        if _thread is not None:
            _thread.join()


def tenant(tenant_id: int) -> TenantFacts | None:
    """Returns the active tenant's facts, or None. An unknown tenant causes one reload.

    Raises: Unavailable, as `current`.
    """
    facts = current().tenants.get(tenant_id)
    if facts is None:
        facts = _try_load(_UNKNOWN_TENANT_SECONDS).tenants.get(tenant_id)
    return facts


def _usable(listed: Sequence[str]) -> frozenset[str]:
    """Returns the tenant's valid origins; invalid ones bypassed the admin's validation."""
    return frozenset(each for each in listed if not origins.refusal_reason(each, production=settings.PRODUCTION))


def _renew() -> None:
    while not _stopping.wait(settings.PROCESS_REFRESH_SECONDS):
        # A server that hangs must not hold the thread for ever: the next connection may lead to another one.
        with deadline.within(_RENEWAL_SECONDS, background=True):
            _try_load(0.0)
        connection.close()


def _try_load(pause: float, *, with_parts: bool = True) -> TenantSnapshot:
    """Loads, unless the last attempt is less than `pause` seconds old: in an outage not every request may wait."""
    global _current
    if time.monotonic() - _current.tried_at < pause:
        return _current
    _current = replace(_current, tried_at=time.monotonic())
    try:
        return load(with_parts=with_parts)
    except (Error, PoolTimeout) as error:
        _log.warning("directory_not_renewed", error=str(error))
        return _current
