"""Encryption of stored secrets: a copy of the database alone reveals none of them.

Fernet (AES-128-CBC with HMAC-SHA-256), with keys from the environment: `key_ring` for what must outlive a change of
SECRET_KEY, `derived_key` for what can be issued again.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class DecryptionFailed(Exception):
    """The text was encrypted with another key."""


def encrypt(text: str, key: Fernet | MultiFernet) -> str:
    """Returns the text encrypted, in URL-safe base64. A key ring encrypts with its first key."""
    return key.encrypt(text.encode()).decode()


def decrypt(encrypted: str, key: Fernet | MultiFernet) -> str:
    """Returns the text again. A key ring tries each of its keys.

    Raises: DecryptionFailed.
    """
    try:
        return key.decrypt(encrypted.encode()).decode()
    except InvalidToken:
        ring = isinstance(key, MultiFernet)
        detail = (
            "no key in KEY_ENCRYPTION_KEYS decrypts it" if ring else "SECRET_KEY has changed since it was encrypted"
        )
        raise DecryptionFailed(detail) from None


def key_ring() -> MultiFernet:
    """Returns the keys of KEY_ENCRYPTION_KEYS, the current one first.

    To replace a key, put the new one in front, run `manage.py rotate_jwks --reseal`, and remove the old one.

    Raises: ValueError if the setting is empty or malformed; its text never shows a key.
    """
    if not settings.KEY_ENCRYPTION_KEYS:
        raise ValueError("it is empty: set it, or KEY_ENCRYPTION_KEYS_FILE, to one or more Fernet keys")
    try:
        return MultiFernet([Fernet(key) for key in settings.KEY_ENCRYPTION_KEYS])
    except ValueError:
        raise ValueError("each key must be 32 bytes in URL-safe base64, separated by commas") from None


def derived_key(purpose: bytes) -> Fernet:
    """Returns a key for one purpose, derived from SECRET_KEY with HKDF-SHA256."""
    return _derive(settings.SECRET_KEY, purpose)


@lru_cache(maxsize=4)
def _derive(secret_key: str, purpose: bytes) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
