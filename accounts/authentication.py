"""Bearer tokens in, a frozen principal out. No SQL: signature, then the process's copy of who may still call."""

from typing import Any, cast

from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import directory, tokens
from core import clock
from core.principal import Principal


class BearerAuthentication(BaseAuthentication):
    """RFC 6750, `Authorization: Bearer ...` only."""

    def authenticate(self, request: Any) -> tuple[Principal, str] | None:
        """The principal and its token; None when there is no bearer token.

        Raises: AuthenticationFailed for a token that is not, or no longer, valid. core.errors.Unavailable in a process
        that has not been able to read its tenants yet: the caller's token may be as good as any.
        """
        scheme, _, raw = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not raw:
            return None
        try:
            principal = tokens.verify(raw.strip(), now=clock.now())
        except tokens.TokenRefused as error:
            raise exceptions.AuthenticationFailed(error.detail) from error
        known = directory.current()
        if principal.client_id in known.denied or directory.tenant(principal.tenant_id) is None:
            raise exceptions.AuthenticationFailed("The client or its tenant is no longer active.")
        if principal.token_id in known.revoked:
            raise exceptions.AuthenticationFailed("The token has been revoked.")
        request._request.principal = principal  # noqa: SLF001  # DRF offers no other way to Django's request
        return principal, raw

    def authenticate_header(self, request: Any) -> str:
        """The challenge of a 401 (RFC 6750, section 3)."""
        tried = request.META.get("HTTP_AUTHORIZATION", "").lower().startswith("bearer ")
        return 'Bearer realm="docent", error="invalid_token"' if tried else 'Bearer realm="docent"'


def caller(request: Request) -> Principal:
    """The principal of an authenticated API request, typed."""
    return cast(Principal, request.user)
