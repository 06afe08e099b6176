"""Conditional requests (RFC 9110, section 13): strong ETags, 304 without building a body, 412.

A proxy that compresses an answer changes its ETag on the way: nginx makes `"x"` into `W/"x"`, Apache into `"x-gzip"`,
Jetty into `"x--gzip"`. Clients send back what they got. All of these name the version that we called `"x"`, for reads
and for writes: our tags are of versions of an object, not of bytes, so a changed coding loses no update.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from typing import Any

from django.utils.http import parse_etags
from rest_framework.response import Response

from core.errors import PreconditionFailed

# What proxies put around the hexadecimal digits of a tag of ours.
_CODED = re.compile(r'(?:W/)?"([0-9a-f]+)(?:(?:-{1,2}|;)(?:gzip|br|brotli|zstd|deflate|df))?"')
CACHE_HEADERS = {"Cache-Control": "private, max-age=0, must-revalidate", "Vary": "Authorization, Origin"}


def etag(parts: Iterable[object]) -> str:
    """Returns a strong ETag over everything that determines the response's bytes."""
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        digest.update(repr(part).encode())
        digest.update(b"\x00")
    return f'"{digest.hexdigest()}"'


def conditional_response(
    request: Any, *, tag: str, body: Callable[[], Any], headers: dict[str, str] | None = None
) -> Response:
    """Returns 200 with the body, or 304 without building it if `If-None-Match` holds the tag (weak comparison)."""
    common = {**CACHE_HEADERS, "ETag": tag, **(headers or {})}
    if matches(request.META.get("HTTP_IF_NONE_MATCH", ""), tag):
        return Response(status=304, headers=common)
    return Response(body(), headers=common)


def matches(header: str, tag: str) -> bool:
    """Returns true if the header's list of tags, or its `*`, names this version, as sent or as rewritten by a proxy."""
    known = parse_etags(header) if header else []
    return known == ["*"] or tag in known or tag in (_as_sent(each) for each in known)


def _as_sent(tag: str) -> str:
    found = _CODED.fullmatch(tag)
    return f'"{found[1]}"' if found else tag


def is_conditional(request: Any) -> bool:
    """Returns true if the request sets a precondition for a write."""
    return "HTTP_IF_MATCH" in request.META or "HTTP_IF_NONE_MATCH" in request.META


def check_preconditions(request: Any, *, tag: str | None) -> None:
    """Checks a write's `If-Match` and `If-None-Match` against the current tag, None for no object.

    Raises: PreconditionFailed.
    """
    wanted, unwanted = request.META.get("HTTP_IF_MATCH"), request.META.get("HTTP_IF_NONE_MATCH")
    if wanted is not None and (tag is None or not matches(wanted, tag)):
        raise PreconditionFailed("If-Match does not name the current version. Read the object again.")
    if unwanted is not None and tag is not None and matches(unwanted, tag):
        raise PreconditionFailed("If-None-Match failed: the object already exists.")
