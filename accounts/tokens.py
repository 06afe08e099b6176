"""Access tokens: JWT as RFC 9068 profiles it, signed RS256, on simplejwt's classes.

Every validation option is spelled out, also where it is the library's default.
"""

import threading
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import Token

from accounts import jwks
from accounts.models import ApiClient
from core.errors import ServiceError
from core.principal import Principal

TYPE = "at+jwt"
ALGORITHM = "RS256"
# For clocks of our own hosts that differ: a token is good at once everywhere, and never longer than it says.
LEEWAY_SECONDS = 5
REQUIRED = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "client_id", "scope", "tenant", "tenant_id"]
_REMEMBERED_MAX = 10_000


class TokenRefused(ServiceError):
    """The token is not one of ours, is not valid now, or not for this service."""

    code = "invalid_token"
    title = "The access token is not valid"


class KeyedBackend(TokenBackend):
    """simplejwt's backend with the headers `kid` and `typ`, and a strict decode."""

    def encode(self, payload: dict[str, Any]) -> str:
        """Signs with the current key."""
        key = jwks.current()
        claims = {**payload, "iss": settings.JWT_ISSUER, "aud": settings.JWT_AUDIENCE}
        return jwt.encode(claims, key.private, algorithm=ALGORITHM, headers={"kid": key.kid, "typ": TYPE})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """The claims of a valid token.

        Raises: TokenBackendError for any other.
        """
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != ALGORITHM or header.get("typ") != TYPE:
                raise TokenBackendError("wrong algorithm or type")
            key = jwks.find(str(header.get("kid", "")))
            if key is None:
                raise TokenBackendError("unknown key")
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[ALGORITHM],
                audience=settings.JWT_AUDIENCE,
                issuer=settings.JWT_ISSUER,
                leeway=LEEWAY_SECONDS,
                options={
                    "require": REQUIRED,
                    "verify_signature": True,
                    "verify_exp": True,
                    "verify_nbf": True,
                    "verify_iat": True,
                    "verify_aud": True,
                    "verify_iss": True,
                },
            )
        except (jwt.InvalidTokenError, ValueError) as error:
            raise TokenBackendError(str(error)) from error
        return claims


@lru_cache(maxsize=1)
def _backend() -> KeyedBackend:
    return KeyedBackend(ALGORITHM)


class AccessToken(Token):
    """simplejwt's token with our backend and lifetime."""

    token_type = "access"  # noqa: S105  # a kind, not a secret
    lifetime = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)

    def get_token_backend(self) -> TokenBackend:
        """Ours, with `kid`."""
        return _backend()


def issue(*, client: ApiClient, scopes: Iterable[str], now: datetime) -> str:
    """A signed access token for the client, good for `lifetime_seconds` from `now`."""
    token = AccessToken()
    token.set_exp(from_time=now, lifetime=timedelta(seconds=lifetime_seconds(client=client, now=now)))
    token.set_iat(at_time=now)
    token["nbf"] = int(now.timestamp())
    token["sub"] = token["client_id"] = client.client_id
    token["tenant"] = client.tenant.slug
    token["tenant_id"] = client.tenant_id
    token["scope"] = " ".join(sorted(scopes))
    return str(token)


def lifetime_seconds(*, client: ApiClient, now: datetime) -> int:
    """How long a token issued now is good: ACCESS_TOKEN_SECONDS, and no longer than its client."""
    if client.expires_at is None:
        return settings.ACCESS_TOKEN_SECONDS
    return max(0, min(settings.ACCESS_TOKEN_SECONDS, int((client.expires_at - now).total_seconds())))


_remembered: dict[str, tuple[float, Principal]] = {}
_remembering = threading.Lock()


def verify(raw: str, *, now: datetime) -> Principal:
    """The token's principal. A verified token is remembered until it expires: the signature costs 80 us, this 0.3.

    The whole token is the key, so no other one can be taken for it; at most 10,000 are kept, the oldest go first.

    Raises: TokenRefused.
    """
    known = _remembered.get(raw)
    timestamp = now.timestamp()
    if known is not None:
        if timestamp < known[0]:
            return known[1]
        with _remembering:
            _remembered.pop(raw, None)
    try:
        token = AccessToken(raw)  # type: ignore[arg-type]
    except TokenError as error:
        raise TokenRefused("The access token is malformed, expired, or was not issued here.") from error
    claims = token.payload
    if timestamp >= claims["exp"] or timestamp < claims["nbf"] - LEEWAY_SECONDS:
        raise TokenRefused("The access token has expired or is not valid yet.")
    principal = Principal(
        tenant_id=int(claims["tenant_id"]),
        tenant=str(claims["tenant"]),
        client_id=str(claims["client_id"]),
        scopes=frozenset(str(claims["scope"]).split()),
        token_id=str(claims["jti"]),
    )
    _remember(raw, float(claims["exp"]), principal)
    return principal


def _remember(raw: str, expires: float, principal: Principal) -> None:
    with _remembering:
        while len(_remembered) >= _REMEMBERED_MAX:
            del _remembered[next(iter(_remembered))]
        _remembered[raw] = (expires, principal)


def ensure_configured() -> None:
    """Reads the signing key now rather than at the first request.

    Raises: ImproperlyConfigured when it is missing or not an RSA key of at least 2048 bits.
    """
    try:
        jwks.current()
    except ValueError as error:
        raise ImproperlyConfigured(f"JWT_PRIVATE_KEY: {error}") from error
