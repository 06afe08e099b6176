"""Secrets at rest: sealed with a key from the environment, so that a copy of the database alone opens nothing.

KEY_ENCRYPTION_KEYS holds Fernet keys (AES-128-CBC with HMAC-SHA-256): the first one seals, each of them opens. To
replace one, put the new one in front, run `manage.py rotate_jwks --reseal`, and take the old one away.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class CannotOpen(Exception):
    """None of the keys in KEY_ENCRYPTION_KEYS sealed this."""


def seal(text: str) -> str:
    """The text, unreadable without the first key.

    Raises: ValueError as `check`.
    """
    return _box().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """The text again.

    Raises: CannotOpen; ValueError as `check`.
    """
    try:
        return _box().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise CannotOpen("none of KEY_ENCRYPTION_KEYS opens it") from None


def check() -> None:
    """Whether the keys can be used.

    Raises: ValueError, which never shows one.
    """
    _box()


def _box() -> MultiFernet:
    if not settings.KEY_ENCRYPTION_KEYS:
        raise ValueError("it is empty: set it, or KEY_ENCRYPTION_KEYS_FILE, to one or more Fernet keys")
    try:
        return MultiFernet([Fernet(key) for key in settings.KEY_ENCRYPTION_KEYS])
    except ValueError:
        raise ValueError("each key must be 32 bytes in URL-safe base64, separated by commas") from None
