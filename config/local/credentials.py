"""The secrets of a local service: made once, kept in `var/secrets/`, never printed."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from config.embedded.private_files import ensure_private

_RSA_BITS = 2048
_PUBLIC_EXPONENT = 65537


def ensure_credentials(*, var: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Variables that name Django's secret key and the key that signs tokens; those that are given stay as they are."""
    variables = {}
    for name, file_name, make in (
        ("SECRET_KEY", "secret_key", _secret_key),
        ("JWT_PRIVATE_KEY", "jwt.pem", _signing_key),
    ):
        if not given.get(name) and not given.get(f"{name}_FILE"):
            path = var.resolve() / "secrets" / file_name
            ensure_private(path, make)
            variables[f"{name}_FILE"] = str(path)
    return variables


def _secret_key() -> str:
    return secrets.token_urlsafe(50)


def _signing_key() -> str:
    """A private key for RS256 (RFC 7518, section 3.3) as PEM."""
    key = rsa.generate_private_key(public_exponent=_PUBLIC_EXPONENT, key_size=_RSA_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
