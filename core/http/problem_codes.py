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
        "The body is not JSON in UTF-8, is nested more than 20 levels deep, names a member of an object twice, or is "
        "not the gzip that Content-Encoding says.",
        "Send one JSON document in UTF-8, plain or as gzip; `detail` says where reading ended.",
    ),
    "bad_request": Page(
        "The request is malformed",
        (400,),
        "The request is not HTTP as it should be, its body ended early, or it names a host that is not served here.",
        "Look at the request line, the headers and the Host; an operator adds hosts in ALLOWED_HOSTS.",
    ),
    "conflict": Page(
        "The object's state does not allow this",
        (409,),
        "The object exists and is not in the state that the request needs.",
        "Read the object again; `detail` says what stands in the way.",
    ),
    "error": Page(
        "The request could not be served",
        (400,),
        "A refusal that has no code of its own.",
        "`detail` says what was wrong; ask the operator with the `request_id`.",
    ),
    "expectation_failed": Page(
        "The expectation is not known",
        (417,),
        "The header Expect asks for something other than 100-continue.",
        "Leave the header out.",
    ),
    "forbidden": Page(
        "This is not allowed",
        (403,),
        "The token is valid, and does not give the right to this operation.",
        "`detail` names the scope that is missing. Ask for a token with it; the client must be allowed to have it.",
    ),
    "headers_too_large": Page(
        "The headers are too large",
        (431,),
        "A header is longer than 8,190 bytes, or there are more than a hundred.",
        "Leave out what the service does not need, such as cookies.",
    ),
    "idempotency_key_in_use": Page(
        "The first request with this key is still running",
        (409,),
        "Another request with the same Idempotency-Key has begun and is not answered yet.",
        "Repeat the request after Retry-After seconds: the answer is then that of the first.",
    ),
    "idempotency_key_invalid": Page(
        "The Idempotency-Key is not valid",
        (400,),
        "The header holds nothing that can be kept as a key.",
        "Give 1 to 255 printable ASCII characters, such as a UUID, bare or as a quoted string.",
    ),
    "idempotency_key_reused": Page(
        "The Idempotency-Key belongs to another request",
        (422,),
        "The key was sent before with another method, path, query or body. Nothing was done now.",
        "Take a new key for each new request; keep the key only to repeat the same one.",
    ),
    "idempotent_answer_erased": Page(
        "The stored answer is gone",
        (410,),
        "The write took effect before. Its answer named a person who was erased since, and was erased with them.",
        "Do not repeat the write; read the object if you need its state.",
    ),
    "internal_error": Page(
        "An unexpected error",
        (500,),
        "Something went wrong inside the service, and was logged.",
        "Try again later; ask the operator with the `request_id`.",
    ),
    "invalid": Page(
        "The request is not valid",
        (422,),
        "The request could be read and breaks the contract. Each entry of `errors` names a field by its JSON pointer "
        "(a query parameter by its name), a code, and what to do. Unknown fields are errors too.",
        "Correct the named fields; the OpenAPI document holds every bound.",
    ),
    "method_not_allowed": Page(
        "Method not allowed",
        (405,),
        "The address exists and does not take this method.",
        "The header Allow lists the methods; the OpenAPI document the operations.",
    ),
    "not_acceptable": Page(
        "Not acceptable", (406,), "The answer cannot be given in the form asked for.", "Ask for JSON."
    ),
    "not_found": Page(
        "Not found",
        (404,),
        "There is nothing at this address, or no such object in the caller's tenant. What belongs to another tenant is "
        "not found either.",
        "Look at the path and the id; `detail` names what is missing.",
    ),
    "not_implemented": Page(
        "The transfer coding is not known",
        (501,),
        "The body comes in a transfer coding that the server cannot read.",
        "Send it chunked, or with a Content-Length.",
    ),
    "precondition_failed": Page(
        "The object has changed since it was read",
        (412,),
        "If-Match names another version than the current one, or If-None-Match found that there is one. "
        "Nothing was changed.",
        "Read the object, decide again, and repeat the write with its ETag.",
    ),
    "quota_exceeded": Page(
        "The monthly quota is used up",
        (429,),
        "The tenant has used up the requests that its plan gives for a month.",
        "Retry-After says when the next month begins; `GET /api/v1/usage` shows what is used.",
    ),
    "rate_limited": Page(
        "Too many requests",
        (429,),
        "The tenant (or, where no token is needed, the address) has sent more requests than its limit allows at once.",
        "Wait for Retry-After seconds. RateLimit-Policy and RateLimit on every answer tell the limit and what is left.",
    ),
    "request_timeout": Page(
        "The request did not arrive in time",
        (408,),
        "Its head or its body came too slowly, or stopped coming, and the connection was closed.",
        "Send it again, all at once; look at the network between you and the service if it happens often.",
    ),
    "too_large": Page(
        "The body is too large",
        (413,),
        "The body is larger than the operation takes (16 KiB for tokens, 5 MiB for batches, 1 MiB for all others), or "
        "it holds more values than are taken at once. What is packed counts as it is unpacked.",
        "Send it in parts: batches take up to 1,000 rows each; `detail` says what was too much.",
    ),
    "unauthenticated": Page(
        "No valid access token",
        (401,),
        "There is no bearer token, or it has expired, was revoked, or was not issued here.",
        "Get a token from `POST /api/v1/auth/token` and send it as `Authorization: Bearer ...`.",
    ),
    "unavailable": Page(
        "Temporarily unavailable",
        (503,),
        "Something that the request needs is away for now. Nothing is half done.",
        "Repeat the request after Retry-After seconds, a write with the same Idempotency-Key.",
    ),
    "unsupported_media_type": Page(
        "Unsupported media type",
        (415,),
        "The Content-Type is not one that the operation takes, its charset is not UTF-8, or the Content-Encoding is "
        "neither gzip nor identity.",
        "Send `application/json` in UTF-8, plain or as gzip, or what the OpenAPI document names.",
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
