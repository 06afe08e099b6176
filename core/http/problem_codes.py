"""Meaning and remedy of each problem `code`: the problem's title, and the page that its `type` links to.

Each application tells its own codes (settings.PROBLEM_CODES); a code in the source without a page fails a test.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from core import process_caches


@dataclass(frozen=True, slots=True)
class Page:
    """One code. `title` says what was wrong in a few words; `meaning` and `remedy` are sentences for people."""

    title: str
    statuses: tuple[int, ...]
    meaning: str
    remedy: str


CODES = {
    "address_too_long": Page(
        "The address is too long",
        (414,),
        "The request line is longer than 8,190 bytes.",
        "Send long lists of ids in the body of a batch operation.",
    ),
    "bad_json": Page(
        "The body cannot be read",
        (400,),
        "The body is not JSON in UTF-8, is nested more than 20 levels deep, has a duplicate name in an object, or is "
        "not gzip despite its Content-Encoding.",
        "Send one JSON document in UTF-8, plain or as gzip; `detail` gives the position of the error.",
    ),
    "bad_request": Page(
        "The request is malformed",
        (400,),
        "The request is not valid HTTP, its body ended early, or it names a host that is not served here.",
        "Check the request line, the headers and the Host; an operator adds hosts in ALLOWED_HOSTS.",
    ),
    "conflict": Page(
        "The object's state does not allow this",
        (409,),
        "The object exists, but is not in the state that the request requires.",
        "Read the object again; `detail` gives the reason.",
    ),
    "error": Page(
        "The request could not be served",
        (400,),
        "An error without a code of its own.",
        "`detail` gives the reason; ask the operator with the `request_id`.",
    ),
    "expectation_failed": Page(
        "Unknown expectation",
        (417,),
        "The header Expect has a value other than 100-continue.",
        "Omit the header.",
    ),
    "forbidden": Page(
        "This is not allowed",
        (403,),
        "The token is valid, but does not permit this operation.",
        "`detail` names the missing scope. Request a token with it; the client must have that scope.",
    ),
    "headers_too_large": Page(
        "The headers are too large",
        (431,),
        "A header is longer than 8,190 bytes, or there are more than a hundred.",
        "Omit headers that the service does not need, such as cookies.",
    ),
    "idempotency_key_in_use": Page(
        "The first request with this key is still running",
        (409,),
        "Another request with the same Idempotency-Key has started and is not answered yet.",
        "Repeat the request after Retry-After seconds to get the answer of the first.",
    ),
    "idempotency_key_invalid": Page(
        "The Idempotency-Key is not valid",
        (400,),
        "The header is not a usable key.",
        "Send 1 to 255 printable ASCII characters, such as a UUID, bare or as a quoted string.",
    ),
    "idempotency_key_reused": Page(
        "The Idempotency-Key belongs to another request",
        (422,),
        "The key was sent before with another method, path, query or body. Nothing was done.",
        "Use a new key for each new request; reuse a key only to repeat the same request.",
    ),
    "idempotent_answer_erased": Page(
        "The stored answer is gone",
        (410,),
        "The write succeeded earlier. Its answer named a user who has been erased since, and was erased too.",
        "Do not repeat the write; read the object if you need its state.",
    ),
    "internal_error": Page(
        "An unexpected error",
        (500,),
        "An error inside the service, which was logged.",
        "Try again later; ask the operator with the `request_id`.",
    ),
    "invalid": Page(
        "The request is not valid",
        (422,),
        "The request is readable but invalid. Each entry of `errors` names a field by its JSON pointer (a query "
        "parameter by its name), a code, and what to do. Unknown fields are errors too.",
        "Correct the named fields; the OpenAPI document lists all limits.",
    ),
    "method_not_allowed": Page(
        "Method not allowed",
        (405,),
        "The address exists, but does not support this method.",
        "The header Allow lists the methods; the OpenAPI document lists the operations.",
    ),
    "not_acceptable": Page(
        "Not acceptable", (406,), "The answer is not available in the requested form.", "Request JSON."
    ),
    "not_found": Page(
        "Not found",
        (404,),
        "The address does not exist, or the caller's tenant has no such object. Objects of other tenants are not found "
        "either.",
        "Check the path and the id; `detail` names the missing object.",
    ),
    "not_implemented": Page(
        "Unknown transfer coding",
        (501,),
        "The body has a transfer coding that the server cannot read.",
        "Send it chunked, or with a Content-Length.",
    ),
    "precondition_failed": Page(
        "The object has changed since it was read",
        (412,),
        "If-Match names a version that is not the current one, or If-None-Match found an existing object. "
        "Nothing was changed.",
        "Read the object, decide again, and repeat the write with its ETag.",
    ),
    "quota_exceeded": Page(
        "The monthly quota is used up",
        (429,),
        "The tenant has used all requests of its plan for this month.",
        "Retry-After tells when the next month begins; `GET /api/v1/usage` shows the usage.",
    ),
    "rate_limited": Page(
        "Too many requests",
        (429,),
        "The tenant (or, for requests without a token, the address) has exceeded its rate limit.",
        "Wait for Retry-After seconds. RateLimit-Policy and RateLimit on every answer show the limit and the rest.",
    ),
    "request_timeout": Page(
        "The request did not arrive in time",
        (408,),
        "The headers or the body arrived too slowly or incompletely, and the connection was closed.",
        "Send it again; if it happens often, check the network between you and the service.",
    ),
    "too_large": Page(
        "The body is too large",
        (413,),
        "The body exceeds the size limit (16 KiB for tokens, 5 MiB for batches, 1 MiB for all others), or the limit of "
        "values. Packed bodies count unpacked.",
        "Send it in parts: batches take up to 1,000 rows each; `detail` names the limit.",
    ),
    "unauthenticated": Page(
        "No valid access token",
        (401,),
        "The bearer token is missing, expired, revoked, or was not issued here.",
        "Get a token from `POST /api/v1/auth/token` and send it as `Authorization: Bearer ...`.",
    ),
    "unavailable": Page(
        "Temporarily unavailable",
        (503,),
        "A server that the request needs is unavailable. Nothing is half done.",
        "Repeat the request after Retry-After seconds, a write with the same Idempotency-Key.",
    ),
    "unsupported_media_type": Page(
        "Unsupported media type",
        (415,),
        "The operation does not support the Content-Type, its charset is not UTF-8, or the Content-Encoding is neither "
        "gzip nor identity.",
        "Send `application/json` in UTF-8, plain or as gzip, or a type that the OpenAPI document lists.",
    ),
}


@process_caches.clearable
@cache
def pages() -> Mapping[str, Page]:
    """Every code of every application, in the order of the alphabet."""
    found: dict[str, Page] = {}
    for path in settings.PROBLEM_CODES:
        found.update(import_string(path))
    return dict(sorted(found.items()))
