"""The fixed cast of the tests: acme owns, globex is the stranger and must see nothing of acme.

Some four thousand tests ask for it. So a process makes it once, by the means of the product, keeps the rows
(`remember_cast`), and writes them down again for each test.
"""

import copy
import json
import time
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from rest_framework.test import APIClient

from accounts.keys import signing_keys
from accounts.models import ApiClient, FeatureFlag, Plan, RevokedToken, SigningKey, Tenant
from accounts.models.tenant import UNLIMITED
from accounts.tenancy import scope, tenant_cache
from accounts.tokens import access_tokens, clients, dpop
from accounts.tokens.scopes import SCOPES
from core import clock

READ_ONLY = [name for name in SCOPES if name.endswith(":read")]
# In the order in which they refer to each other.
_MODELS = (Plan, Tenant, ApiClient, SigningKey)
_SIGNED_FOR_SECONDS = 2.0  # a test may look at what is left of a token's life


@dataclass(frozen=True)
class Caller:
    """An API client with its secret, a token and an HTTP client that carries it."""

    client: ApiClient
    secret: str
    token: str
    http: APIClient


@dataclass(frozen=True)
class Member:
    """A tenant of the cast."""

    tenant: Tenant
    admin: Caller
    reader: Caller

    @property
    def http(self) -> APIClient:
        """Calls as the client with every scope."""
        return self.admin.http


@dataclass(frozen=True)
class _Remembered:
    """A process's memory of the cast that it has made."""

    circumstances: tuple[Any, ...]
    insert: str
    members: list[tuple[Tenant, dict[str, clients.IssuedSecret]]]
    directory: tenant_cache.TenantSnapshot


_remembered: _Remembered | None = None
_signed: dict[tuple[str, ...], tuple[float, str]] = {}


def remember_cast() -> None:
    """Makes the cast in the process's empty database, remembers it and takes it away again; its keys stay used up."""
    global _remembered
    with transaction.atomic(), scope.all_tenants("test cast"):
        members = _create()
        loaded = tenant_cache.load()
        insert = ";".join(_insert(model) for model in _MODELS)
        transaction.set_rollback(True)
    tenant_cache.clear()
    _remembered = _Remembered(_circumstances(), insert, members, loaded)


def make_cast(*, anew: bool = False, fresh_tokens: bool = True) -> SimpleNamespace:
    """Creates acme and globex; `anew` where another process may fill the database meanwhile.

    Without `fresh_tokens` those of the last two seconds will do.
    """
    known = None if anew else _remembered
    # The lock: a web process that reads an empty ring begins one.
    with scope.all_tenants("test cast"), signing_keys._locked():
        if known is None or known.circumstances != _circumstances() or _anything():
            members = _create()
            tenant_cache.load()
        else:
            members = copy.deepcopy(known.members)
            _write(known, members)
    acme, globex = (_member(tenant, issued, fresh=fresh_tokens) for tenant, issued in members)
    return SimpleNamespace(acme=acme, globex=globex, anonymous=APIClient())


def _create() -> list[tuple[Tenant, dict[str, clients.IssuedSecret]]]:
    plan = Plan.objects.create(name="Test", **UNLIMITED)
    tenants = [Tenant.objects.create(slug=slug, name=slug.title(), plan=plan) for slug in ("acme", "globex")]
    scopes = {"all": list(SCOPES), "reader": READ_ONLY}
    return [
        (tenant, {name: clients.issue(tenant=tenant, name=name, scopes=granted) for name, granted in scopes.items()})
        for tenant in tenants
    ]


def _write(known: _Remembered, members: list[tuple[Tenant, dict[str, clients.IssuedSecret]]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(known.insert)
    for tenant, issued in members:
        for _ in issued:
            transaction.on_commit(partial(dpop.prime, tenant.pk))
    now = time.monotonic()
    tenant_cache._current = replace(known.directory, loaded_at=now, tried_at=now)


def _anything() -> bool:
    """Say whether there is a row that the cast would meet, or that the directory would hold beside it."""
    models = (Plan, SigningKey, FeatureFlag, RevokedToken)
    looks = " OR ".join(f"EXISTS (SELECT FROM {model._meta.db_table})" for model in models)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {looks}")
        return bool(cursor.fetchone()[0])


def _insert(model: Any) -> str:
    """A statement that writes the table's rows down as they are now."""
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT json_agg(row_to_json(a)) FROM {table} a")
        rows = json.dumps(cursor.fetchone()[0]).replace("'", "''")
    return f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, '{rows}')"


def _circumstances() -> tuple[Any, ...]:
    names = ("JWT_PRIVATE_KEY", "JWT_ALGORITHM", "KEY_ENCRYPTION_KEYS", "PRODUCTION")
    return tuple(copy.copy(getattr(settings, name)) for name in names)


def _member(tenant: Tenant, issued: dict[str, clients.IssuedSecret], *, fresh: bool) -> Member:
    admin, reader = (_caller(issued[name], fresh=fresh) for name in ("all", "reader"))
    return Member(tenant, admin, reader)


def _caller(issued: clients.IssuedSecret, *, fresh: bool) -> Caller:
    token = _token(issued.client, fresh=fresh)
    http = APIClient()
    http.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return Caller(issued.client, issued.secret, token, http)


def _token(client: ApiClient, *, fresh: bool) -> str:
    now = clock.now()
    what = (client.client_id, settings.JWT_ISSUER, settings.JWT_AUDIENCE, str(settings.ACCESS_TOKEN_SECONDS))
    signed_at, token = _signed.get(what, (0.0, ""))
    if fresh or not 0 <= now.timestamp() - signed_at < _SIGNED_FOR_SECONDS:
        token = access_tokens.issue(client=client, scopes=client.scopes, now=now)
        _signed[what] = (now.timestamp(), token)
    return token
