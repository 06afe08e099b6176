"""Revocations of tokens, clients and tenants. Postgres is the truth; each process's copy is at most 5 s old.

The markers in Redis only speed it up: they are set after the commit, and a missing one has no effect after those 5 s.
After a loss of Redis, the tenant's markers are loaded again from here.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from math import ceil

from django.db import transaction
from django.db.models import Q

from accounts.keys.jwks import LONGEST_TOKEN_SECONDS, SKEW_SECONDS
from accounts.models import ApiClient, RevokedToken, Tenant
from core.ratelimit import revocation_markers
from core.ratelimit.revocation_markers import Revoked

# A marker lives as long as a token that it must stop.
_SECONDS = LONGEST_TOKEN_SECONDS + SKEW_SECONDS


def revoke_tokens(*, tenant_id: int, tokens: Iterable[tuple[str, datetime]], now: datetime) -> int:
    """Revokes access tokens (`jti`, expiry) that have not ended; in the caller's tenant scope. Returns how many."""
    alive = [(token_id, expires_at) for token_id, expires_at in tokens if expires_at > now]
    RevokedToken.objects.bulk_create(
        [
            RevokedToken(tenant_id=tenant_id, token_id=token_id, revoked_at=now, expires_at=expires_at)
            for token_id, expires_at in alive
        ],
        ignore_conflicts=True,
    )
    for token_id, expires_at in alive:
        _publish(tenant_id, Revoked("token", _left(expires_at, now), token_id))
    return len(alive)


def client_changed(client: ApiClient) -> None:
    """Updates the client's marker in Redis after the commit."""
    tell = _withdraw if client.active else _publish
    tell(client.tenant_id, Revoked("client", _SECONDS, client.client_id))


def tenant_changed(tenant: Tenant) -> None:
    """Updates the tenant's marker in Redis after the commit."""
    tell = _withdraw if tenant.active else _publish
    tell(tenant.pk, Revoked("tenant", _SECONDS))


def tenant_revocations(*, tenant_id: int, now: datetime) -> list[Revoked]:
    """Returns the tenant's revocations that could still matter, in the caller's tenant scope."""
    revoked = [
        Revoked("token", _left(expires_at, now), token_id)
        for token_id, expires_at in RevokedToken.objects.filter(tenant_id=tenant_id, expires_at__gt=now).values_list(
            "token_id", "expires_at"
        )
    ]
    ended = Q(active=False) | Q(expires_at__lte=now)
    clients = ApiClient.objects.filter(ended, tenant_id=tenant_id).values_list("client_id", flat=True)
    revoked += [Revoked("client", _SECONDS, client_id) for client_id in clients]
    if Tenant.objects.filter(pk=tenant_id, active=False).exists():
        revoked.append(Revoked("tenant", _SECONDS))
    return revoked


def _left(expires_at: datetime, now: datetime) -> int:
    return ceil((expires_at - now).total_seconds()) + SKEW_SECONDS


def _publish(tenant_id: int, revoked: Revoked) -> None:
    transaction.on_commit(partial(revocation_markers.publish, tenant_id=tenant_id, revoked=revoked))


def _withdraw(tenant_id: int, revoked: Revoked) -> None:
    transaction.on_commit(partial(revocation_markers.withdraw, tenant_id=tenant_id, revoked=revoked))
