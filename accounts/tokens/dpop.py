"""DPoP (RFC 9449): proofs that the caller holds the key to which a token is bound. Each proof works once.

A stolen token is useless without the key, and a stolen request cannot be repeated. Fails closed: if the replay store
cannot tell, the proof is refused (`ReplayStoreUnavailable`); only clients that send proofs are affected.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.db import Error
from psycopg_pool import PoolTimeout

from accounts.keys import jwks
from accounts.tenancy import scope, tenant_cache
from accounts.tokens import replay_audit
from core import clock
from core.errors import ServiceError, Unavailable
from core.ratelimit import replay_guard
from core.ratelimit.replay_guard import ReplayVerdict
from core.redis import RedisUnavailable

ALGORITHMS = ("ES256", "RS256")
TYPE = "dpop+jwt"
# `iat` may be so old, and so far ahead of our clock.
OLDEST_SECONDS, AHEAD_SECONDS = 60, 5
_LONGEST = 8192
_LONGEST_ID = 256
_RSA_BITS = (2048, 4096)
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_PORTS = {"https": 443, "http": 80}
_log = structlog.get_logger(__name__)


class ProofRefused(ServiceError):
    """The proof is malformed, is not for this request and time, or was used before."""

    code = "invalid_dpop_proof"
    title = "The DPoP proof is not valid"


class ReplayStoreUnavailable(Unavailable):
    """A valid proof; `consume` checks that it is used for the first time."""

    code = "replay_store_unavailable"
    title = "Proofs cannot be checked now"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("Replays of DPoP proofs cannot be detected at the moment. Retry with a new proof.")
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Proof:
    """A valid proof; `consume` checks that it is used for the first time."""

    key_thumbprint: str
    token_id: str
    issued_at: float


def verify_proof(raw: str, *, method: str, url: str, now: datetime, access_token: str = "") -> Proof:
    """Checks everything of a proof but its first use: form, key, signature, method, URL, time and token.

    Raises: ProofRefused, which says what is wrong.
    """
    try:
        key, algorithm = _key(raw)
        claims: dict[str, Any] = jwt.decode(
            raw,
            key,
            algorithms=[algorithm],
            leeway=AHEAD_SECONDS,
            options={
                "require": ["jti", "htm", "htu", "iat"],
                "verify_signature": True,
                "verify_exp": True,
                "verify_nbf": True,
                "verify_iat": False,  # below, against the moment that was passed in
                "verify_aud": False,
                "verify_iss": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        # Whatever stands in a header or a claim came from outside: no kind of nonsense in it is our error.
        raise ProofRefused("The DPoP header is not one proof, signed by the key in it (ES256 or RS256).") from error
    _check_claims(claims, method=method, url=url, moment=now.timestamp())
    if access_token:
        expected = base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()).rstrip(b"=").decode()
        if not hmac.compare_digest(str(claims.get("ath", "")).encode("utf-8", "replace"), expected.encode()):
            raise ProofRefused("`ath` is not the hash of the access token.")
    return Proof(jwks.thumbprint(jwks.members(key)), claims["jti"], float(claims["iat"]))


def consume(proof: Proof, *, tenant_id: int, client_id: str, address: str, now: datetime) -> None:
    """Consumes the proof; it works once.

    Raises: ProofRefused when it was shown before, or is older than what the store remembers; ReplayStoreUnavailable.
    """
    name = hashlib.sha256(f"{proof.key_thumbprint} {proof.token_id}".encode("utf-8", "surrogatepass")).hexdigest()
    moment = now.timestamp()
    try:
        use = replay_guard.use_once(
            tenant_id=tenant_id,
            name=name,
            made_at=proof.issued_at,
            keep_seconds=OLDEST_SECONDS + 2 * AHEAD_SECONDS,
            now=moment,
        )
    except RedisUnavailable as error:
        raise ReplayStoreUnavailable(2) from error
    if use.verdict is ReplayVerdict.TOO_OLD:
        if use.wait_seconds:  # a proof that is made now would be too old as well
            raise ReplayStoreUnavailable(use.wait_seconds + 1)
        raise ProofRefused("The proof is older than the replay memory; create a new one.")
    if use.verdict is ReplayVerdict.AGAIN:
        _record(tenant_id=tenant_id, client_id=client_id, subject=name, address=address, now=now)
        raise ProofRefused("The proof was used before; each works once.")


def prime(tenant_id: int) -> None:
    """Starts the tenant's replay memory, so that its first proof need not wait. Best effort."""
    with suppress(RedisUnavailable):
        replay_guard.start_memory(tenant_id=tenant_id, now=clock.now().timestamp())


def prime_all() -> None:
    """Calls `prime` for every tenant in the cache."""
    moment = clock.now().timestamp()
    with suppress(RedisUnavailable):
        for tenant_id in tenant_cache.current().tenants:
            replay_guard.start_memory(tenant_id=tenant_id, now=moment)


def _key(raw: str) -> tuple[jwks.PublicKey, str]:
    if len(raw) > _LONGEST:
        raise ValueError("too long")
    header = jwt.get_unverified_header(raw)
    algorithm, jwk = header.get("alg"), header.get("jwk")
    if header.get("typ") != TYPE or algorithm not in ALGORITHMS or not isinstance(jwk, Mapping):
        raise ValueError("wrong type, algorithm or key")
    if _PRIVATE & jwk.keys():
        raise ValueError("a private key")
    key = jwt.PyJWK({**jwk, "alg": algorithm}, algorithm).key
    if isinstance(key, rsa.RSAPublicKey):
        smallest, largest = _RSA_BITS
        if algorithm == "RS256" and smallest <= key.key_size <= largest:
            return key, algorithm
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) and algorithm == "ES256":
        return key, algorithm
    raise ValueError("not a key for the algorithm")


def _check_claims(claims: Mapping[str, Any], *, method: str, url: str, moment: float) -> None:
    token_id, issued_at = claims["jti"], claims["iat"]
    if not isinstance(token_id, str) or not 1 <= len(token_id) <= _LONGEST_ID:
        raise ProofRefused(f"`jti` must be a string of 1 to {_LONGEST_ID} characters.")
    if not isinstance(issued_at, (int, float)) or isinstance(issued_at, bool):
        raise ProofRefused("`iat` must be a number of seconds.")
    # Compared, not subtracted: a whole number may be larger than any float.
    if not moment - OLDEST_SECONDS <= issued_at <= moment + AHEAD_SECONDS:
        raise ProofRefused(f"`iat` must be of the last {OLDEST_SECONDS} seconds.")
    if claims["htm"] != method:
        raise ProofRefused(f"`htm` must be {method}.")
    if not isinstance(claims["htu"], str) or _normal(claims["htu"]) != _normal(url):
        raise ProofRefused("`htu` must be the address of the request, without query.")


def _normal(url: str) -> tuple[str, str, int | None, str] | None:
    """Scheme, host, port and path, so that spellings of one address are equal (RFC 3986, section 6.2)."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme), unquote(parts.path)
    except ValueError:
        return None


def _record(*, tenant_id: int, client_id: str, subject: str, address: str, now: datetime) -> None:
    kind = replay_audit.DPOP
    try:
        with scope.tenant(tenant_id):
            replay_audit.store(
                tenant_id=tenant_id, client_id=client_id, kind=kind, subject=subject, address=address, now=now
            )
    except (Error, PoolTimeout) as error:
        _log.warning("replay_not_recorded", error=str(error))
    replay_audit.count(kind=kind, client_id=client_id)
