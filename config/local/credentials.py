"""The secrets of a local service: created once, stored in `var/secrets/`, never printed."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet

from config.devservers.private_files import ensure_private


def ensure_credentials(*, var: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Returns variables that name Django's secret key and the key that encrypts signing keys, unless given."""
    variables = {}
    for name, file_name, make in (
        ("SECRET_KEY", "secret_key", _secret_key),
        ("KEY_ENCRYPTION_KEYS", "key_encryption_keys", _encryption_key),
    ):
        if not given.get(name) and not given.get(f"{name}_FILE"):
            path = var.resolve() / "secrets" / file_name
            ensure_private(path, make)
            variables[f"{name}_FILE"] = str(path)
    return variables


def _secret_key() -> str:
    return secrets.token_urlsafe(50)


def _encryption_key() -> str:
    return Fernet.generate_key().decode()
