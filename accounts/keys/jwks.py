"""Signing keys as values: the ring at a moment, and each key's public form (RFC 7517).

The stage of a key follows from its times alone, so every process agrees at any moment:

- next: published but not signing yet, so that verifiers fetch it before it is needed;
- current: the latest key that has started to sign;
- retiring: another took over; accepted until the longest token that it can have signed has ended;
- retired: refused.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from core import encryption

# The longest lifetime of a token, and the largest clock difference between hosts.
LONGEST_TOKEN_SECONDS = 3600
SKEW_SECONDS = 60
_EXPONENT, _BITS = 65537, 2048
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
Stage = Literal["next", "current", "retiring", "retired"]


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key of the ring; times are Unix seconds. The private half stays encrypted until it is used."""

    kid: str
    algorithm: str
    public: PublicKey
    signs_from: float
    accepted_until: float | None = None
    sealed: str = field(default="", repr=False)

    def accepts(self, moment: float) -> bool:
        """Returns true if the key's signatures are valid at the moment."""
        return self.accepted_until is None or moment < self.accepted_until

    def private(self) -> PrivateKey:
        """Returns the private half.

        Raises: core.encryption.DecryptionFailed.
        """
        return _private(self.sealed)


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys by id. An unknown id never causes a query."""

    keys: Mapping[str, RingKey] = field(default_factory=dict)

    def find(self, kid: str, *, moment: float) -> RingKey | None:
        """Returns the key with this id, if its signatures are valid at the moment."""
        key = self.keys.get(kid)
        return key if key is not None and key.accepts(moment) else None

    def current(self, *, moment: float) -> RingKey | None:
        """Returns the key that signs at the moment; None only in an empty ring."""
        begun = [key for key in self.keys.values() if key.signs_from <= moment and key.sealed]
        return max(begun, key=lambda key: key.signs_from, default=None)

    def stage(self, key: RingKey, *, moment: float) -> Stage:
        """Returns the stage of the key at the moment."""
        if not key.accepts(moment):
            return "retired"
        if key.signs_from > moment:
            return "next"
        current = self.current(moment=moment)
        return "current" if current is None or current.kid == key.kid else "retiring"

    def published(self, *, moment: float) -> list[dict[str, str]]:
        """Returns the members of /.well-known/jwks.json: all keys but retired ones, the newest first."""
        accepted = [key for key in self.keys.values() if key.accepts(moment)]
        newest_first = sorted(accepted, key=lambda key: -key.signs_from)
        return [{"use": "sig", "alg": key.algorithm, "kid": key.kid, **members(key.public)} for key in newest_first]


def generate(algorithm: str) -> PrivateKey:
    """Generates a private key: RSA of 2048 bits for RS256, P-256 for ES256 (RFC 7518, section 3)."""
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=_EXPONENT, key_size=_BITS)


def algorithm_of(key: PrivateKey | PublicKey) -> str:
    """Returns the only algorithm that the key is used with."""
    return "ES256" if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)) else "RS256"


@lru_cache(maxsize=8)
def read_private(pem: str) -> PrivateKey:
    """Parses a private key from PEM.

    Raises: ValueError unless it is RSA of at least 2048 bits or P-256.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise ValueError("it is not a private key in PEM without a passphrase") from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _BITS:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError("it must be an RSA key of at least 2048 bits, or one on the curve P-256")


def write_private(key: PrivateKey) -> str:
    """The key as PEM."""
    kind, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, kind, none).decode()


@lru_cache(maxsize=32)
def read_public(pem: str) -> PublicKey:
    """Parses one of our public keys from PEM."""
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey))
    return key


def write_public(key: PublicKey) -> str:
    """The key as PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, form).decode()


def members(key: PublicKey) -> dict[str, str]:
    """Returns the JWK members of the key (RFC 7518, section 6)."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": _base64(point.x, 32), "y": _base64(point.y, 32)}
    numbers = key.public_numbers()
    return {"kty": "RSA", "n": _base64(numbers.n), "e": _base64(numbers.e)}


def thumbprint(jwk: Mapping[str, str]) -> str:
    """Returns the key's id (RFC 7638): the hash of its members, in order."""
    canonical = json.dumps(dict(jwk), separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


@lru_cache(maxsize=8)
def _private(sealed: str) -> PrivateKey:
    """Decrypts and parses a key once: parsing PEM checks the primes, 40 ms."""
    return read_private(encryption.decrypt(sealed, encryption.key_ring()))


def _base64(number: int, octets: int = 0) -> str:
    raw = number.to_bytes(octets or (number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
