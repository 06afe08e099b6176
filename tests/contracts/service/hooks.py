"""Tells schemathesis which refusals are about stored state, which the contract cannot state, not about the request.

It loads this module itself; it knows the service only by its address.
"""

import itertools
import os
import uuid
from typing import Any
from urllib.parse import unquote

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response

# Codes of 422 for requests that keep to the document, each with what its schema cannot say.
BEYOND_SCHEMAS = {
    "bad_cursor": "a cursor is signed by the service",
    "foreign_cursor": "a cursor is good for the list and the filters that it came from",
    "invalid_cursor": "a cursor is signed by the service, and runs out",
    "other_format": "the media type and the query say the same",
    "bad_filter": "a filter is a text in a language of its own",
    "bad_placement": "a placement's name is lower-case letters, digits and hyphens, or one that begins with @",
    "same_user": "a merge is of two people",
    "unknown_user": "a merge names a person who is known",
    "unknown_placement": "placements have names of the tenant's own",
    "reserved_id": "`.`, `..`, `batch` and names of sub-resources behind a slash cannot be routed",
    "suspicious_id": "what looks like an unset variable is nobody to be erased or merged",
    "surrounding_space": "white space at the ends of an id, a byte order mark among it, is no part of one",
    "bad_origin": "an origin is what browsers send, character by character",
    "unknown_scope": "a token gives no more than its caller has",
    "event_id_reused": "which event_ids a person's events have",
    "bad_window": "available_until lies after available_from",
    "after_to": "a range of days begins before it ends",
    "range_too_long": "a range of days is a year at most",
    "in_future": "an event is at most a day ahead of the server's clock",
    "bad_pair": "which name is in front of the sign, and which behind it, is not told by a pattern",
    "no_such_field": "a column is mapped to a field of the kind that the query names",
    "bad_default": "a default is one that the field could hold",
    "mapped_twice": "a field is read from one column",
    "bad_sign": "a sign around cells is one that is no letter",
    "bad_columns": "columns have names",
    "unknown_timezone": "time zones are those of the IANA database",
    "unknown_preset": "a preset reads some kinds of files",
    "bad_delimiter": "a delimiter is no quotation mark and no line end",
    "unknown_encoding": "encodings are those that Python knows as text",
    "no_time": "years before 1900 stand for a time that is not known",
    "too_large": "a whole number is at most 2^53; a fraction may be larger, and JSON Schema calls both numbers",
    "bad_character": "half of a surrogate pair is no character, and a schema's string may hold one",
}
_keys = itertools.count()
_run = uuid.uuid4().hex


@schemathesis.serializer("text/csv", "application/x-ndjson")
def as_it_is(ctx: Any, value: Any) -> bytes:
    """A file's text; what is in it is the import's to judge."""
    return str(value).encode("utf-8", "replace")


@schemathesis.hook
def filter_failure(ctx: Any, failure: Failure, case: Any, response: Response) -> bool:
    """Returns false for a refusal of well-formed data if all the codes that it names lie beyond schemas."""
    if type(failure).__name__ != "RejectedPositiveData" or response.status_code != 422:
        return True
    problem = response.json()
    codes = {error["code"] for error in problem["errors"]} or {problem["code"]}
    return not codes <= BEYOND_SCHEMAS.keys()


@schemathesis.hook
def before_call(ctx: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Well-formed requests are made to mean something: an own key, the path's id in the body, real credentials.

    Else most of them would only be told that the key or the id is another's, or that the client is unknown.
    """
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = f"{_run}-{next(_keys)}"
    if case.headers:
        case.headers.pop("DPoP", None)  # a proof is signed, and no schema makes one
    if isinstance(case.body, dict) and case.operation.path in {"/api/v1/auth/token", "/api/v1/auth/revoke"}:
        if case.body.get("grant_type") == "refresh_token":
            case.body["grant_type"] = "client_credentials"  # nor a refresh token
        case.body |= {
            "client_id": os.environ["CONTRACT_CLIENT_ID"],
            "client_secret": os.environ["CONTRACT_CLIENT_SECRET"],
        }
    if isinstance(case.body, dict):
        for name, value in (case.path_parameters or {}).items():
            if name in case.body:
                case.body[name] = unquote(str(value))
