"""RFC 9457 problem documents for every error."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.encoding import escape_uri_path
from psycopg_pool import PoolTimeout
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from core.errors import FieldError, NotFound, ServiceError, Unavailable
from core.http.problem_codes import pages
from core.postgres import connection
from core.quoting import quoted

CONTENT_TYPE = "application/problem+json"
MAX_QUOTED = 500
# A path, so that it leads to this deployment's page and is the same text in all of them (RFC 9457, section 3.1.1).
TYPE_BASE = "/problems/"
_log = structlog.get_logger(__name__)

_CODE_BY_STATUS = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    413: "too_large",
    414: "address_too_long",
    415: "unsupported_media_type",
    417: "expectation_failed",
    429: "rate_limited",
    431: "headers_too_large",
    500: "internal_error",
    501: "not_implemented",
    503: "unavailable",
}


def document(
    *,
    status: int,
    code: str,
    detail: str,
    request: HttpRequest | None,
    title: str = "",
    errors: Sequence[FieldError] = (),
    request_id: str = "",
) -> dict[str, Any]:
    """Returns the members of a problem, in reading order. The request's own id takes precedence."""
    return {
        "type": TYPE_BASE + code,
        "title": known.title if (known := pages().get(code)) else title or HTTPStatus(status).phrase,
        "status": status,
        "detail": _encodable(detail),
        "instance": escape_uri_path(printable(request.path)) if request else "",
        "code": code,
        "request_id": getattr(request, "request_id", request_id),
        "errors": [{key: _encodable(value) for key, value in error.as_dict().items()} for error in errors],
    }


def code_for_status(status: int) -> str:
    """Returns the default code of a status."""
    return _CODE_BY_STATUS.get(status, "error")


def response(
    *,
    status: int,
    code: str = "",
    detail: str = "",
    request: HttpRequest | None,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> JsonResponse:
    """Returns a problem as a plain Django response, for errors outside DRF."""
    code = code or code_for_status(status)
    body = document(
        status=status, code=code, detail=detail or HTTPStatus(status).phrase, request=request, errors=errors
    )
    answer = JsonResponse({**body, **(extra or {})}, status=status, content_type=CONTENT_TYPE)
    answer["Cache-Control"] = "no-store"
    for name, value in (headers or {}).items():
        answer[name] = value
    return answer


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turns errors into problems, as DRF's exception handler; unexpected ones go on to `server_error`."""
    request = getattr(context.get("request"), "_request", None)
    if (away := _away(error, request)) is not None:
        error = away
    if isinstance(error, Http404):
        error = NotFound()
    if isinstance(error, ServiceError):
        return _from_service(error, request)
    if isinstance(error, exceptions.APIException):
        return _from_drf(error, request)
    return None


def unavailable(error: BaseException | None, request: HttpRequest) -> JsonResponse | None:
    """Returns the problem for an unavailable service or a timeout, outside DRF; None for any other error."""
    away = _away(error, request)
    if away is None:
        return None
    return response(
        status=503,
        code=away.code,
        detail=away.detail,
        request=request,
        headers={"Retry-After": str(away.retry_after_seconds)},
    )


def _away(error: BaseException | None, request: HttpRequest | None) -> Unavailable | None:
    if isinstance(error, Unavailable):
        return error
    if not isinstance(error, (OperationalError, InterfaceError, PoolTimeout)):
        return None
    _log.warning("database_unavailable", error=str(error))
    if request is not None and connection.lost(error):
        request.database_lost = True  # type: ignore[attr-defined]  # for core.http.middleware, which asks again
    return Unavailable("The database cannot be reached or is too busy. Nothing is half done; try again.")


def _from_service(error: ServiceError, request: HttpRequest | None) -> Response:
    set_rollback()
    status = known.statuses[0] if (known := pages().get(error.code)) else 400
    body = document(
        status=status, code=error.code, title=error.title, detail=error.detail, request=request, errors=error.errors
    )
    headers = {"Cache-Control": "no-store"}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    return Response(body, status=status, headers=headers, content_type=CONTENT_TYPE)


def _from_drf(error: exceptions.APIException, request: HttpRequest | None) -> Response:
    set_rollback()
    headers = {"Cache-Control": "no-store"}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(math.ceil(wait))
    status, code, detail = error.status_code, code_for_status(error.status_code), str(error.detail)
    errors: tuple[FieldError, ...] = ()
    if isinstance(error, exceptions.ValidationError):
        status, code = 422, "invalid"
        errors = tuple(field_errors(error.detail))
        detail = "; ".join(f"{item.pointer or '/'}: {item.detail}" for item in errors[:3])
    elif isinstance(error, exceptions.ParseError):
        code = "bad_json"
    body = document(status=status, code=code, detail=detail, request=request, errors=errors)
    return Response(body, status=status, headers=headers, content_type=CONTENT_TYPE)


def field_errors(detail: Any, pointer: str = "") -> Iterator[FieldError]:
    """Yields DRF's nested validation details as flat field errors with JSON pointers."""
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            here = pointer if key == "non_field_errors" else f"{pointer}/{_escape(str(key))}"
            yield from field_errors(value, here)
    elif isinstance(detail, (list, tuple)):
        nested = any(isinstance(value, (Mapping, list)) for value in detail)
        for index, value in enumerate(detail):
            yield from field_errors(value, f"{pointer}/{index}" if nested else pointer)
    else:
        yield FieldError(pointer=pointer, code=getattr(detail, "code", "invalid"), detail=printable(str(detail)))


def _escape(token: str) -> str:
    return printable(token).replace("~", "~0").replace("/", "~1")


def printable(text: str) -> str:
    """Returns a caller's text, bounded and without lone surrogates, which UTF-8 cannot encode."""
    return _encodable(text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + "…")


def _encodable(text: str) -> str:
    return quoted(text, max(len(text), 1) * 6)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a request that no view saw, such as one for a foreign host."""
    return response(status=400, detail="The request is malformed or names an unknown host.", request=request)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return response(status=403, detail="This is not allowed.", request=request)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404: no such route."""
    return response(status=404, detail=f"There is nothing at {printable(request.path)}.", request=request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: reveals nothing internal but the request id. 503 if a service is unavailable.

    It is called while the error is handled, including errors of middleware, which process_exception never sees.
    """
    if (away := unavailable(sys.exception(), request)) is not None:
        return away
    return response(status=500, detail="An unexpected error; it was logged under the request id.", request=request)
