"""API clients: issue, rotate, verify a secret."""

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction

from accounts.models import ApiClient, RefreshFamily, Tenant
from accounts.tenancy import scope
from accounts.tokens import dpop, refresh, revocations
from accounts.tokens.scopes import SCOPES
from core.errors import InvalidInput, ServiceError

LAST_USED_RESOLUTION = timedelta(minutes=1)


class ClientRefused(ServiceError):
    """The client is unknown, its secret is wrong, or it is no longer valid. The response does not tell which."""

    code = "invalid_client"
    title = "Client authentication failed"


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A client and its secret in plain text: shown once, stored nowhere."""

    client: ApiClient
    secret: str


def issue(
    *, tenant: Tenant, name: str, scopes: Sequence[str], expires_at: datetime | None = None, active: bool = True
) -> IssuedSecret:
    """Creates a client of the tenant. Runs inside the caller's scope.

    Raises: InvalidInput for a scope that does not exist.
    """
    if unknown := sorted(set(scopes) - SCOPES.keys()):
        raise InvalidInput(f"There is no scope {', '.join(unknown)}; known are {', '.join(SCOPES)}.")
    secret = secrets.token_urlsafe(32)
    client = ApiClient.objects.create(
        tenant=tenant,
        name=name,
        client_id=f"dc_{secrets.token_hex(12)}",
        secret_hash=_hash(secret),
        scopes=list(scopes),
        expires_at=expires_at,
        active=active,
    )
    # The tenant's first DPoP proof then need not wait for the replay store.
    transaction.on_commit(partial(dpop.prime, tenant.pk))
    return IssuedSecret(client, secret)


def renew_secret(*, client: ApiClient, now: datetime, overlap: timedelta = timedelta(0)) -> IssuedSecret:
    """Gives the client a new secret; the previous one works for `overlap` longer, any older one stops at once."""
    secret = secrets.token_urlsafe(32)
    client.previous_secret_hash = client.secret_hash if overlap else ""
    client.previous_secret_until = now + overlap if overlap else None
    client.secret_hash = _hash(secret)
    client.save(update_fields=["secret_hash", "previous_secret_hash", "previous_secret_until"])
    return IssuedSecret(client, secret)


def deactivate(*, client: ApiClient, now: datetime) -> None:
    """Disables the client and ends its tokens and refresh families, in the caller's scope; effective within 5 s."""
    client.active = False
    client.save(update_fields=["active"])
    apply_active_change(client=client, now=now)


def apply_active_change(*, client: ApiClient, now: datetime) -> None:
    """Ends or restores access after a change of `active` that is saved already."""
    if not client.active:
        refresh.end_all(client=client, why=RefreshFamily.Why.CLIENT, now=now)
    revocations.client_changed(client)


def verify(*, client_id: str, secret: str, now: datetime) -> ApiClient:
    """Returns the active client with this id and secret, its tenant loaded.

    Raises: ClientRefused.
    """
    refused = ClientRefused("The client is unknown, its secret is wrong, or it is no longer valid.")
    if not client_id.isascii() or not client_id.isprintable():
        raise refused  # never an id of ours, and possibly not comparable in PostgreSQL
    with scope.all_tenants("token endpoint: the client names its tenant"):
        client = ApiClient.objects.select_related("tenant").filter(client_id=client_id).first()
        if client is None or not _accepts(client, secret, now) or not _usable(client, now):
            raise refused
        if client.last_used_at is None or now - client.last_used_at > LAST_USED_RESOLUTION:
            ApiClient.objects.filter(pk=client.pk).update(last_used_at=now)
    return client


def _accepts(client: ApiClient, secret: str, now: datetime) -> bool:
    """Compares both secrets, even if the first one matches."""
    current = matches(client, secret)
    previous = hmac.compare_digest(client.previous_secret_hash, _hash(secret))
    return current or (previous and client.previous_secret_until is not None and now < client.previous_secret_until)


def _usable(client: ApiClient, now: datetime) -> bool:
    return client.active and client.tenant.active and (client.expires_at is None or now < client.expires_at)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def matches(client: ApiClient, secret: str) -> bool:
    """Returns true if this is the client's secret."""
    return hmac.compare_digest(client.secret_hash, _hash(secret))
