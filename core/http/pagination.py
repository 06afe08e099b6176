"""Cursor pages: keyset positions, signed, bound to the caller's tenant, the list and its filters.

A cursor is the same text each time the same page is read, so that the page's ETag stays valid.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core import signing

from core.errors import FieldError, InvalidInput
from core.http import locations

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_CURSOR = 2048
_SALT = "core.http.pagination"


class _Serializer:
    """JSON in UTF-8: Django's own writes up to twelve bytes for a character, and an id has up to 128 characters."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    def loads(self, raw: bytes) -> Any:
        return json.loads(raw)


@dataclass(frozen=True, slots=True)
class Pages:
    """Position and size of one page. `binding` names the list, tenant and filters that a cursor is valid for."""

    binding: Mapping[str, Any]
    limit: int
    after: tuple[str, ...] | None

    @classmethod
    def read(cls, query: Mapping[str, str], *, binding: Mapping[str, Any]) -> "Pages":
        """Parses a query's `limit` and `cursor`.

        Raises: InvalidInput.
        """
        return cls(binding, _limit(query.get("limit")), _position(query.get("cursor"), binding))

    def cursor(self, position: tuple[str, ...] | None) -> str | None:
        """Returns the cursor after the position; None at the end."""
        if position is None:
            return None
        return signing.Signer(salt=_SALT).sign_object([_digest(self.binding), *position], serializer=_Serializer)


def link(request: Any, cursor: str | None) -> dict[str, str]:
    """Returns the `Link` header (RFC 8288) to the next page, if there is one."""
    if cursor is None:
        return {}
    query = request.query_params.copy()
    query["cursor"] = cursor
    return {"Link": f'<{locations.request_url(request)}?{query.urlencode()}>; rel="next"'}


def known_parameters(query: Any, *names: str) -> dict[str, str]:
    """Returns the query as a mapping.

    Raises: InvalidInput for an unknown or repeated name: a misspelt filter must not be ignored silently.
    """
    allowed = (*names, "limit", "cursor")
    for name in query:
        if name not in allowed:
            raise invalid(f"/{name}", "unknown_parameter", f"Unknown; known are {', '.join(allowed)}.")
        if len(query.getlist(name)) > 1:
            raise invalid(f"/{name}", "repeated", "Give this parameter once.")
    return {name: query[name] for name in query}


def invalid(pointer: str, code: str, detail: str) -> InvalidInput:
    """Returns the error of one query parameter."""
    return InvalidInput(f"{pointer}: {detail}", errors=[FieldError(pointer, code, detail)])


def _limit(raw: str | None) -> int:
    if raw is None:
        return DEFAULT_LIMIT
    if not (raw.isascii() and raw.isdigit() and len(raw) <= len(str(MAX_LIMIT)) and 1 <= int(raw) <= MAX_LIMIT):
        raise invalid("/limit", "out_of_range", f"Must be a whole number from 1 to {MAX_LIMIT}.")
    return int(raw)


def _position(raw: str | None, binding: Mapping[str, Any]) -> tuple[str, ...] | None:
    if raw is None:
        return None
    try:
        if len(raw) > MAX_CURSOR:
            raise signing.BadSignature("too long")
        bound, *position = signing.Signer(salt=_SALT).unsign_object(raw, serializer=_Serializer)
    except (signing.BadSignature, ValueError, UnicodeEncodeError):
        detail = "Not a cursor of this service; send `next` of the previous page unchanged."
        raise invalid("/cursor", "bad_cursor", detail) from None
    if bound != _digest(binding):
        detail = "The cursor belongs to another list or other filters; send the original ones."
        raise invalid("/cursor", "foreign_cursor", detail)
    return tuple(position)


def _digest(binding: Mapping[str, Any]) -> str:
    text = json.dumps(binding, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=9).hexdigest()
