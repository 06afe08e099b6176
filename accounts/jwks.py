"""The signing key and its public form (RFC 7517); `kid` is the key's thumbprint (RFC 7638)."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key pair under its id."""

    kid: str
    private: rsa.RSAPrivateKey = field(repr=False)  # parsed once: reading PEM checks the primes, 40 ms
    public: rsa.RSAPublicKey
    modulus: str
    exponent: str

    def as_jwk(self) -> dict[str, str]:
        """The public key as a member of a JWK set."""
        return {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": self.modulus,
            "e": self.exponent,
        }


def current() -> SigningKey:
    """The key that signs now.

    Raises: ValueError when JWT_PRIVATE_KEY holds no RSA key of at least 2048 bits.
    """
    return _parse(settings.JWT_PRIVATE_KEY)


def find(kid: str) -> SigningKey | None:
    """The key with this id, if its signatures are accepted."""
    key = current()
    return key if key.kid == kid else None


def published() -> list[dict[str, str]]:
    """What /.well-known/jwks.json lists."""
    return [current().as_jwk()]


@lru_cache(maxsize=4)
def _parse(pem: str) -> SigningKey:
    if not pem:
        raise ValueError("it is empty: set it, or JWT_PRIVATE_KEY_FILE, to an RSA private key in PEM")
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise ValueError("it is not a private key in PEM without a passphrase") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 2048:
        raise ValueError("it must be an RSA key of at least 2048 bits")
    numbers = key.public_key().public_numbers()
    modulus, exponent = _base64(numbers.n), _base64(numbers.e)
    kid = thumbprint(modulus=modulus, exponent=exponent)
    return SigningKey(kid, key, key.public_key(), modulus, exponent)


def thumbprint(*, modulus: str, exponent: str) -> str:
    """An RSA key's id (RFC 7638): the hash of its required members in order; both in base64url."""
    canonical = json.dumps({"e": exponent, "kty": "RSA", "n": modulus}, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def _base64(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()
