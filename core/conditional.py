"""Conditional requests (RFC 9110, section 13): strong ETags, 304 without building a body, 412."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from django.utils.http import parse_etags
from rest_framework.response import Response

from core.errors import PreconditionFailed

CACHE_HEADERS = {"Cache-Control": "private, max-age=0, must-revalidate", "Vary": "Authorization, Origin"}


def etag(parts: Iterable[object]) -> str:
    """A strong ETag over what determines the bytes of the answer."""
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        digest.update(repr(part).encode())
        digest.update(b"\x00")
    return f'"{digest.hexdigest()}"'


def answer(request: Any, *, tag: str, body: Callable[[], Any], headers: dict[str, str] | None = None) -> Response:
    """200 with the body, or 304 without building it when `If-None-Match` holds the tag (weak comparison)."""
    known = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    common = {**CACHE_HEADERS, "ETag": tag, **(headers or {})}
    if known and (known == ["*"] or tag in (each.removeprefix("W/") for each in known)):
        return Response(status=304, headers=common)
    return Response(body(), headers=common)


def is_conditional(request: Any) -> bool:
    """Whether the request sets a condition for a write."""
    return "HTTP_IF_MATCH" in request.META or "HTTP_IF_NONE_MATCH" in request.META


def require(request: Any, *, tag: str | None) -> None:
    """Checks a write's `If-Match` (strong comparison) and `If-None-Match` against the current tag, None for no object.

    Raises: PreconditionFailed.
    """
    if "HTTP_IF_MATCH" in request.META:
        wanted = parse_etags(request.META["HTTP_IF_MATCH"])
        if tag is None or (wanted != ["*"] and tag not in wanted):
            raise PreconditionFailed("If-Match names another version than the current one. Read it again.")
    if "HTTP_IF_NONE_MATCH" in request.META:
        unwanted = parse_etags(request.META["HTTP_IF_NONE_MATCH"])
        if tag is not None and (unwanted == ["*"] or tag in (each.removeprefix("W/") for each in unwanted)):
            raise PreconditionFailed("If-None-Match holds: the object exists already.")
