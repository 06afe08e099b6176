"""Identity of requests: the key that a client sent, and the fingerprint of the content."""

import hashlib
import re
from urllib.parse import parse_qsl

from core.errors import ServiceError
from core.idempotency.models import MAX_KEY

# What read_key takes, for the OpenAPI document: bare, or quoted.
PATTERN = (
    rf"^([\x21\x23-\x7e]([\x20-\x7e]{{0,{MAX_KEY - 2}}}[\x21-\x7e])?"
    rf'|"([\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\]){{1,{MAX_KEY}}}")$'
)
_PRINTABLE = re.compile(r"[\x20-\x7e]+\Z")
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"\Z')
_ESCAPED = re.compile(r"\\(.)")


class KeyRefused(ServiceError):
    """The header holds no key that can be kept."""

    code = "idempotency_key_invalid"
    title = "The Idempotency-Key is not valid"


def read_key(header: str) -> str:
    """The key in an `Idempotency-Key` header, bare or as a structured string (RFC 9651, 3.3.3): both name the same key.

    Raises: KeyRefused.
    """
    value = header.strip(" \t")
    if value.startswith('"'):
        quoted = _QUOTED.match(value)
        if quoted is None:
            raise KeyRefused(
                'Idempotency-Key begins with a quote and is no structured string: "..." without parameters.'
            )
        value = _ESCAPED.sub(r"\1", quoted[1])
    if not value:
        raise KeyRefused(
            f"Idempotency-Key is empty. Send 1 to {MAX_KEY} characters, such as a UUID, or omit the header."
        )
    if not _PRINTABLE.match(value):
        raise KeyRefused("Idempotency-Key contains a character that is not printable ASCII. A UUID is a good key.")
    if len(value) > MAX_KEY:
        raise KeyRefused(f"Idempotency-Key has {len(value)} characters; at most {MAX_KEY} are kept.")
    return value


def fingerprint(*, method: str, path: str, query: str, body: bytes) -> bytes:
    """SHA-256 (32 bytes) over what a request asks. The order of query parameters is no difference, bytes are."""
    # Latin-1 keeps every byte of a query apart, also where it is not UTF-8; WSGI hands it over in that form.
    pairs = sorted(parse_qsl(query, keep_blank_values=True, encoding="latin-1"))
    parts = [method.upper(), path, *(text for pair in pairs for text in pair)]
    digest = hashlib.sha256()
    for part in (*(text.encode() for text in parts), body):
        # The length in front keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
