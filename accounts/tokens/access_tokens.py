"""Access tokens: JWTs as profiled by RFC 9068, signed by the ring's current key, on simplejwt's classes.

Every validation option is explicit, even if it is the library's default.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ceil
from typing import Any

import jwt
import structlog
from cachetools import FIFOCache
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenError
from rest_framework_simplejwt.tokens import Token

from accounts.keys import jwks
from accounts.models import ApiClient
from accounts.tenancy import tenant_cache
from core import encryption, process_caches
from core.errors import ServiceError, Unavailable
from core.principal import Principal

TYPE = "at+jwt"
# For clocks of our own hosts that differ: a token is good at once everywhere, and never longer than it says.
LEEWAY_SECONDS = 5
REQUIRED = ["exp", "iat", "nbf", "iss", "aud", "sub", "jti", "client_id", "scope", "tenant", "tenant_id"]
_REMEMBERED_MAX = 10_000
_log = structlog.get_logger(__name__)


class TokenRefused(ServiceError):
    """The token was not issued here, is not valid now, or is for another service."""

    code = "invalid_token"
    title = "The access token is not valid"


class CannotSign(Unavailable):
    """No token can be issued now; issued tokens stay valid."""


class KeyedBackend(TokenBackend):
    """simplejwt's backend with the headers `kid` and `typ`, and a strict decode."""

    def encode(self, payload: dict[str, Any]) -> str:
        """Signs with the key that is current when the token is issued.

        Raises: CannotSign.
        """
        key = tenant_cache.current().ring.current(moment=payload["iat"])
        if key is None:
            raise CannotSign("No key signs at this time; check this host's clock.")
        claims = {**payload, "iss": settings.JWT_ISSUER, "aud": settings.JWT_AUDIENCE}
        try:
            return jwt.encode(claims, key.private(), algorithm=key.algorithm, headers={"kid": key.kid, "typ": TYPE})
        except encryption.DecryptionFailed as error:
            _log.error("signing_key_sealed", kid=key.kid, error=str(error))
            raise CannotSign("The signing key cannot be decrypted; ask the operator.") from error

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """The claims of a valid token.

        Raises: TokenBackendError for any other.
        """
        try:
            header = jwt.get_unverified_header(token)
            key = tenant_cache.current().ring.keys.get(str(header.get("kid", "")))
            if key is None:
                raise TokenBackendError("unknown key")
            if header.get("alg") != key.algorithm or header.get("typ") != TYPE:
                raise TokenBackendError("wrong algorithm or type")
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
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
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError) as error:
            raise TokenBackendError(str(error)) from error
        return claims


@process_caches.clearable
@lru_cache(maxsize=1)
def _backend() -> KeyedBackend:
    return KeyedBackend(settings.JWT_ALGORITHM)


class AccessToken(Token):
    """simplejwt's token with our backend and lifetime."""

    token_type = "access"  # noqa: S105  # a kind, not a secret
    lifetime = timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)

    def get_token_backend(self) -> TokenBackend:
        """Returns our backend, which sets `kid`."""
        return _backend()


@dataclass(frozen=True, slots=True)
class Issued:
    """An access token, and the facts needed to revoke it."""

    token: str = field(repr=False)
    token_id: str
    scopes: tuple[str, ...]
    expires_at: datetime
    expires_in: int


def mint(*, client: ApiClient, scopes: Iterable[str], now: datetime, key_thumbprint: str = "") -> Issued:
    """Issues a signed access token for the client, valid for `lifetime_seconds` from `now`.

    With a thumbprint it is bound to that key (RFC 9449, section 6).

    Raises: CannotSign.
    """
    bound = {"cnf": {"jkt": key_thumbprint}} if key_thumbprint else {}
    granted = tuple(sorted(scopes))
    seconds = lifetime_seconds(client=client, now=now)
    claims = {
        "sub": client.client_id,
        "client_id": client.client_id,
        "tenant": client.tenant.slug,
        "tenant_id": client.tenant_id,
        **bound,
    }
    return _sign(claims, scopes=granted, seconds=seconds, now=now)


def mint_for_user(
    *, principal: Principal, user_id: str, origin: str, scopes: Iterable[str], seconds: int, now: datetime
) -> Issued:
    """Issues a browser token for one user of the caller's client, valid for `seconds` (at most an hour) and one origin.

    It expires with the caller's own token at the latest, and is revoked with it (`issuer_jti`).
    Raises: CannotSign.
    """
    left = ceil(principal.expires - now.timestamp())
    if left < seconds - LEEWAY_SECONDS:  # a token that was issued this moment gives a whole one
        seconds = max(1, left)
    claims = {
        "sub": principal.client_id,
        "client_id": principal.client_id,
        "tenant": principal.tenant,
        "tenant_id": principal.tenant_id,
        "end_user": user_id,
        "origin": origin,
        "issuer_jti": principal.token_id,
    }
    return _sign(claims, scopes=tuple(sorted(scopes)), seconds=min(seconds, jwks.LONGEST_TOKEN_SECONDS), now=now)


def issue(*, client: ApiClient, scopes: Iterable[str], now: datetime) -> str:
    """Issues a token like `mint`, and returns its text only."""
    return mint(client=client, scopes=scopes, now=now).token


def _sign(claims: Mapping[str, Any], *, scopes: tuple[str, ...], seconds: int, now: datetime) -> Issued:
    token = AccessToken()
    token.set_exp(from_time=now, lifetime=timedelta(seconds=seconds))
    token.set_iat(at_time=now)
    token["nbf"] = int(now.timestamp())
    token["scope"] = " ".join(scopes)
    for name, value in claims.items():
        token[name] = value
    expires_at = datetime.fromtimestamp(token["exp"], UTC)
    return Issued(str(token), str(token["jti"]), scopes, expires_at, seconds)


def lifetime_seconds(*, client: ApiClient, now: datetime) -> int:
    """Returns the lifetime of a token issued now: ACCESS_TOKEN_SECONDS, and no longer than its client."""
    if client.expires_at is None:
        return settings.ACCESS_TOKEN_SECONDS
    return max(0, min(settings.ACCESS_TOKEN_SECONDS, int((client.expires_at - now).total_seconds())))


_remembered: FIFOCache[str, tuple[float, str, Principal]] = FIFOCache(_REMEMBERED_MAX)
process_caches.register(_remembered.clear)
_remembering = threading.Lock()


def remembered(raw: str, *, timestamp: float) -> Principal | None:
    """Returns the principal of a token that `verify` has cached and would return again; None for any other."""
    known = _remembered.get(raw)
    if known is None or timestamp >= known[0]:
        return None
    return known[2] if tenant_cache.current().ring.find(known[1], moment=timestamp) is not None else None


def verify(raw: str, *, now: datetime) -> Principal:
    """Returns the token's principal. Verified tokens are cached until they expire: a signature costs 80 us.

    The whole token is the key, so no other token can match; at most 10,000 are cached, the oldest are evicted first. A
    cached token ends with the key that signed it, like any other.

    Raises: TokenRefused; core.errors.Unavailable in a process that has not been able to read its keys yet.
    """
    known = _remembered.get(raw)
    timestamp = now.timestamp()
    ring = tenant_cache.current().ring
    if known is not None:
        if timestamp < known[0] and ring.find(known[1], moment=timestamp) is not None:
            return known[2]
        with _remembering:
            _remembered.pop(raw, None)
    try:
        token = AccessToken(raw)  # type: ignore[arg-type]
    except TokenError as error:
        raise TokenRefused("The access token is malformed, expired, or was not issued here.") from error
    claims = token.payload
    if timestamp >= claims["exp"] or timestamp < claims["nbf"] - LEEWAY_SECONDS:
        raise TokenRefused("The access token has expired or is not valid yet.")
    kid = str(jwt.get_unverified_header(raw)["kid"])
    if ring.find(kid, moment=timestamp) is None:
        raise TokenRefused("The key that signed the access token has been retired.")
    principal = Principal(
        tenant_id=int(claims["tenant_id"]),
        tenant=str(claims["tenant"]),
        client_id=str(claims["client_id"]),
        scopes=frozenset(str(claims["scope"]).split()),
        token_id=str(claims["jti"]),
        expires=float(claims["exp"]),
        origin=str(claims.get("origin", "")),
        user_id=str(claims.get("end_user", "")),
        issuer_token_id=str(claims.get("issuer_jti", "")),
        key_thumbprint=str((claims.get("cnf") or {}).get("jkt", "")),
    )
    _remember(raw, float(claims["exp"]), kid, principal)
    return principal


def _remember(raw: str, expires: float, kid: str, principal: Principal) -> None:
    with _remembering:
        _remembered[raw] = (expires, kid, principal)


def ensure_configured() -> None:
    """Checks the configuration of keys at the start instead of at the first request.

    Raises: ImproperlyConfigured when KEY_ENCRYPTION_KEYS cannot seal, or JWT_PRIVATE_KEY is set and cannot sign.
    """
    for name, check in (("KEY_ENCRYPTION_KEYS", encryption.key_ring), ("JWT_PRIVATE_KEY", _check_given_key)):
        try:
            check()
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: {error}") from error


def _check_given_key() -> None:
    if settings.JWT_PRIVATE_KEY:
        jwks.read_private(settings.JWT_PRIVATE_KEY)
