"""Names that stand for others and can be made again only with a key: to know somebody again without keeping who it was.

HMAC-SHA256 (RFC 2104). A plain hash of a short id would be found by trying ids; without the key none can be tried.
"""

import hmac
from functools import lru_cache

from django.conf import settings

_BLANK = "\x1f"  # cannot stand in an id, so joined parts cannot be confused


def pseudonym(*parts: object) -> str:
    """64 hexadecimal digits for these parts; the same as long as the key is."""
    return hmac.digest(_key(), _BLANK.join(map(str, parts)).encode(), "sha256").hex()


def key_id() -> str:
    """16 hexadecimal digits that name the key and say nothing of it."""
    return _key_id(_key())


@lru_cache(maxsize=4)
def _key_id(key: bytes) -> str:
    return hmac.digest(key, b"key id", "sha256").hex()[:16]


def _key() -> bytes:
    return (settings.ERASURE_KEY or settings.SECRET_KEY).encode()
