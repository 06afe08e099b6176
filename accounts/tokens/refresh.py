"""Refresh tokens: each works once. Reuse ends the whole family and its access tokens.

A family's row is locked while one of its tokens is used: of any number of simultaneous uses, in any number of
processes, one succeeds, and the others find the token used. The thief cannot be told from the owner, so the whole grant
ends (RFC 9700, section 4.14). There is no grace period.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from accounts.models import ApiClient, RefreshFamily, RefreshToken
from accounts.tenancy import scope
from accounts.tokens import access_tokens, replay_audit, revocations
from accounts.tokens.access_tokens import Issued
from accounts.tokens.scopes import OFFLINE_ACCESS
from core.errors import ServiceError

PREFIX = "dr_"


class GrantRefused(ServiceError):
    """The refresh token is unknown, was used, has ended, or is another client's. Which of these is not told."""

    code = "invalid_grant"
    title = "The refresh token is not valid"


class ScopeRefused(ServiceError):
    """The request exceeds the scopes of the grant; the token stays unused."""

    code = "invalid_scope"
    title = "The scope is not valid"


@dataclass(frozen=True, slots=True)
class Granted:
    """An access token, and the refresh token for the next one."""

    access: Issued
    refresh_token: str


def start(*, client: ApiClient, scopes: Collection[str], now: datetime, key_thumbprint: str = "") -> Granted:
    """Starts a family: the grant's access token and its first refresh token."""
    with scope.tenant(client.tenant_id):
        family = RefreshFamily.objects.create(
            tenant_id=client.tenant_id,
            client=client,
            scopes=sorted(scopes),
            key_thumbprint=key_thumbprint,
            started_at=now,
            expires_at=now + timedelta(seconds=settings.REFRESH_TOKEN_SECONDS),
        )
        return _grant(family, client, scopes, now, parent=None)


def exchange(
    raw: str, *, client: ApiClient, asked: Collection[str], address: str, now: datetime, key_thumbprint: str = ""
) -> Granted:
    """Exchanges the token for the next access token and its own successor, with the same or fewer scopes.

    Raises: GrantRefused; ScopeRefused.
    """
    with scope.tenant(client.tenant_id):  # a refusal is raised outside: what it has written must be committed
        outcome = _exchange(raw, client, asked, address, now, key_thumbprint)
    if isinstance(outcome, ServiceError):
        raise outcome
    return outcome


def revoke(raw: str, *, client: ApiClient, now: datetime) -> bool:
    """Ends the token's family; returns false if there is no such token.

    Raises: GrantRefused for another client's.
    """
    with scope.tenant(client.tenant_id):
        row = _find(raw)
        if row is None:
            return False
        if row.family.client_id != client.pk:
            raise GrantRefused("The token was issued to another client.")
        end(row.family, why=RefreshFamily.Why.REVOKED, now=now)
    return True


def end(family: RefreshFamily, *, why: RefreshFamily.Why, now: datetime) -> None:
    """Ends the family and its access tokens, in the caller's tenant scope. An ended family stays unchanged."""
    open_ = RefreshFamily.objects.filter(pk=family.pk, ended_at=None)
    open_.update(ended_at=now, ended_why=why)
    issued = family.tokens.filter(access_expires_at__gt=now).values_list("access_token_id", "access_expires_at")
    revocations.revoke_tokens(tenant_id=family.tenant_id, tokens=issued, now=now)


def end_all(*, client: ApiClient, why: RefreshFamily.Why, now: datetime) -> None:
    """Ends every family of the client; in the caller's scope."""
    for family in RefreshFamily.objects.filter(client=client, ended_at=None, expires_at__gt=now):
        end(family, why=why, now=now)


def _exchange(
    raw: str, client: ApiClient, asked: Collection[str], address: str, now: datetime, key_thumbprint: str
) -> Granted | ServiceError:
    """Checks for reuse before everything else: any request with a used token is a replay."""
    refused = GrantRefused("The refresh token is unknown, was used, or has ended.")
    row = _find(raw)
    if row is None or row.family.client_id != client.pk:
        return refused
    family = RefreshFamily.objects.select_for_update().get(pk=row.family_id)
    unused = RefreshToken.objects.filter(pk=row.pk, used_at=None)
    if not unused.exists():
        _replayed(family, client, address, now)
        return refused
    granted = set(family.scopes) & set(client.scopes)
    alive = family.ended_at is None and now < family.expires_at and OFFLINE_ACCESS in granted
    if not alive or family.key_thumbprint != key_thumbprint:
        return refused
    if not set(asked) <= granted:
        return ScopeRefused(f"The grant holds {' '.join(sorted(granted))}.")
    unused.update(used_at=now)
    return _grant(family, client, asked or granted, now, parent=row)


def _replayed(family: RefreshFamily, client: ApiClient, address: str, now: datetime) -> None:
    end(family, why=RefreshFamily.Why.REPLAYED, now=now)
    if client.tenant.synthetic:
        replay_audit.count_synthetic()
        return
    replay_audit.record(
        tenant_id=client.tenant_id,
        client_id=client.client_id,
        kind=replay_audit.REFRESH,
        subject=str(family.pk),
        address=address,
        now=now,
    )


def _grant(
    family: RefreshFamily, client: ApiClient, scopes: Collection[str], now: datetime, *, parent: RefreshToken | None
) -> Granted:
    access = access_tokens.mint(client=client, scopes=scopes, now=now, key_thumbprint=family.key_thumbprint)
    raw = PREFIX + secrets.token_urlsafe(32)
    RefreshToken.objects.create(
        tenant_id=family.tenant_id,
        family=family,
        parent=parent,
        token_hash=_hash(raw),
        issued_at=now,
        access_token_id=access.token_id,
        access_expires_at=access.expires_at,
    )
    return Granted(access, raw)


def _find(raw: str) -> RefreshToken | None:
    return RefreshToken.objects.select_related("family").filter(token_hash=_hash(raw)).first()


def _hash(raw: str) -> str:
    return hashlib.sha256(raw.encode("utf-8", "surrogatepass")).hexdigest()
