"""Keyed pseudonyms: recognise an erased user again without storing the id.

HMAC-SHA256 (RFC 2104). A plain hash of a short id could be reversed by trying ids; without the key that is impossible.
"""

import hmac
from functools import lru_cache

from django.conf import settings

_BLANK = "\x1f"  # cannot stand in an id, so joined parts cannot be confused


def pseudonym(*parts: object) -> str:
    """Returns 64 hexadecimal digits for these parts, stable for one key."""
    return hmac.digest(_key(), _BLANK.join(map(str, parts)).encode(), "sha256").hex()


def key_id() -> str:
    """Returns 16 hexadecimal digits that identify the key without revealing it."""
    return _key_id(_key())


@lru_cache(maxsize=4)
def _key_id(key: bytes) -> str:
    return hmac.digest(key, b"key id", "sha256").hex()[:16]


def _key() -> bytes:
    return (settings.ERASURE_KEY or settings.SECRET_KEY).encode()
