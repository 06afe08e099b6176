"""Authentication by access token, resulting in a frozen principal. No SQL: signature, then the tenant cache."""

from typing import Any, cast

from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.tenancy import tenant_cache
from accounts.tokens import access_tokens, dpop
from core import clock
from core.http import client_address, locations
from core.principal import Principal

BEARER, DPOP = "bearer", "dpop"


class BearerAuthentication(BaseAuthentication):
    """RFC 6750, `Authorization: Bearer ...`; for tokens bound to a key RFC 9449, `DPoP ...` with a proof."""

    def authenticate(self, request: Any) -> tuple[Principal, str] | None:
        """Returns the principal and its token; None without a token.

        Raises: AuthenticationFailed for a token that is not, or no longer, valid. core.errors.Unavailable in a process
        that has not been able to read its tenants yet (the caller's token may be as good as any), or that cannot say
        whether a proof was shown before.
        """
        scheme, _, raw = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        scheme, raw = scheme.lower(), raw.strip()
        if scheme not in (BEARER, DPOP) or not raw:
            return None
        now = clock.now()
        try:
            principal = access_tokens.verify(raw, now=now)
        except access_tokens.TokenRefused as error:
            raise exceptions.AuthenticationFailed(error.detail) from error
        known, tenant = tenant_cache.current(), tenant_cache.tenant(principal.tenant_id)
        if principal.client_id in known.denied or tenant is None:
            raise exceptions.AuthenticationFailed("The client or its tenant is no longer active.")
        if not known.revoked.isdisjoint((principal.token_id, principal.issuer_token_id)):
            raise exceptions.AuthenticationFailed("The token has been revoked.")
        if scheme == DPOP or principal.key_thumbprint:
            _prove(request._request, scheme, raw, principal)  # noqa: SLF001  # likewise
        elif tenant.require_dpop and not principal.user_id:
            raise exceptions.AuthenticationFailed("The tenant requires tokens bound to a key (DPoP).")
        request._request.principal = principal  # noqa: SLF001  # DRF offers no other way to Django's request
        return principal, raw

    def authenticate_header(self, request: Any) -> str:
        """Returns the challenge of a 401 (RFC 6750, section 3; RFC 9449, section 7.1)."""
        tried = request.META.get("HTTP_AUTHORIZATION", "").lower()
        if tried.startswith("dpop "):
            return f'DPoP realm="docent", error="invalid_token", algs="{" ".join(dpop.ALGORITHMS)}"'
        return (
            'Bearer realm="docent", error="invalid_token"' if tried.startswith("bearer ") else 'Bearer realm="docent"'
        )


def known_caller(header: str, *, timestamp: float) -> Principal | None:
    """Returns the principal of an `Authorization` header if its token was verified before and is plain.

    None says nothing about the token: `BearerAuthentication` judges it. Plain is a bearer token of a client, bound to
    neither a user nor a key, whose tenant takes such tokens, with nothing revoked that this process knows of.
    """
    if not header.startswith("Bearer "):
        return None
    principal = access_tokens.remembered(header[7:], timestamp=timestamp)
    if principal is None or principal.user_id or principal.key_thumbprint:
        return None
    known = tenant_cache.current()
    tenant = known.tenants.get(principal.tenant_id)
    if tenant is None or tenant.require_dpop or principal.client_id in known.denied:
        return None
    if principal.token_id in known.revoked or principal.issuer_token_id in known.revoked:
        return None
    return principal


def caller(request: Request) -> Principal:
    """Returns the principal of an authenticated API request, typed."""
    return cast(Principal, request.user)


def _prove(request: Any, scheme: str, raw: str, principal: Principal) -> None:
    if scheme != DPOP:
        raise exceptions.AuthenticationFailed("The token is bound to a key: send it as DPoP, with a proof.")
    if not principal.key_thumbprint:
        raise exceptions.AuthenticationFailed("The token is not bound to a key: send it as Bearer.")
    now = clock.now()
    try:
        proof = dpop.verify_proof(
            request.META.get("HTTP_DPOP", ""),
            method=str(request.method),
            url=locations.request_url(request),
            now=now,
            access_token=raw,
        )
        if proof.key_thumbprint != principal.key_thumbprint:
            raise dpop.ProofRefused("The proof is by another key than the token is bound to.")
        dpop.consume(
            proof,
            tenant_id=principal.tenant_id,
            client_id=principal.client_id,
            address=client_address.client_ip(request),
            now=now,
        )
    except dpop.ProofRefused as error:
        raise exceptions.AuthenticationFailed(error.detail) from error
