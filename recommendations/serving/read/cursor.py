"""The `next` of a recommendations page: which items the walk has shown, signed, good for half an hour.

It carries 8-byte digests of the shown ids instead of a position, so that a walk never repeats an item, also while a
new list is published in between. It is bound to the tenant, the subject and the options it was made for. Issue times
are rounded to five minutes: within them the same page has the same bytes and the same ETag.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from django.conf import settings

from core.errors import FieldError, InvalidInput

VALID_SECONDS = 30 * 60
ROUNDING_SECONDS = 5 * 60
_HEADER = struct.Struct(">BI8s")
_VERSION = 1
_DIGEST = 8
_SIGNATURE = 16


class InvalidCursor(InvalidInput):
    """The cursor is not ours, is for another list, or is older than half an hour."""


@lru_cache(maxsize=20_000)
def digest(item_id: str) -> bytes:
    """Return an eight-byte digest of an item id."""
    return hashlib.blake2b(item_id.encode(), digest_size=_DIGEST).digest()


def write(*, shown: Iterable[bytes], binding: str, now: datetime) -> str:
    """Return the token of the page after these. `binding` names tenant, subject and options."""
    issued = int(now.timestamp()) // ROUNDING_SECONDS * ROUNDING_SECONDS
    expires = issued + ROUNDING_SECONDS + VALID_SECONDS
    payload = _HEADER.pack(_VERSION, expires, _bound(binding)) + b"".join(shown)
    return base64.urlsafe_b64encode(payload + _sign(payload)).rstrip(b"=").decode()


def read(token: str, *, binding: str, now: datetime) -> list[bytes]:
    """Return the digests of the items that earlier pages showed.

    Raises: InvalidCursor.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _refused("it is not a cursor of this service") from None
    payload, signature = raw[:-_SIGNATURE], raw[-_SIGNATURE:]
    if len(payload) < _HEADER.size or not hmac.compare_digest(signature, _sign(payload)):
        raise _refused("it is not a cursor of this service")
    version, expires, bound = _HEADER.unpack_from(payload)
    if version != _VERSION or bound != _bound(binding):
        raise _refused("it belongs to another list or other options")
    if now.timestamp() >= expires:
        raise _refused("it has expired; start again from the first page")
    digests = payload[_HEADER.size :]
    return [digests[at : at + _DIGEST] for at in range(0, len(digests), _DIGEST)]


def _refused(why: str) -> InvalidCursor:
    detail = f"The cursor cannot be used: {why}."
    return InvalidCursor(detail, errors=[FieldError("/cursor", "invalid_cursor", detail)])


def _bound(binding: str) -> bytes:
    return hashlib.blake2b(binding.encode(), digest_size=8).digest()


@lru_cache(maxsize=1)
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"docent.recommendations.cursor" + secret.encode()).digest()


def _sign(payload: bytes) -> bytes:
    return hmac.digest(_key(settings.SECRET_KEY), payload, "sha256")[:_SIGNATURE]
