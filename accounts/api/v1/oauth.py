"""Parts shared by the OAuth 2.0 endpoints: parameters, client authentication, errors (RFC 6749)."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from django.core.exceptions import TooManyFieldsSent
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import ApiClient
from accounts.tokens import clients
from core.http import problem
from core.http.content_encoding import CodingRefused
from core.http.json_body import BoundedJSONParser, refuse_charset
from core.http.json_text import BadJSON, BodyTooLarge
from core.http.problem import printable
from core.http.serializers import Problem
from core.ratelimit import ip_rate_limit

FORM = "application/x-www-form-urlencoded"
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class OAuthProblem(Problem):
    """A problem that is also an error of RFC 6749, section 5.2."""

    error = serializers.CharField()
    error_description = serializers.CharField()


class Refused(Exception):
    """A refused token request, and its response."""

    def __init__(self, status: int, error: str, detail: str, *, code: str = "", retry_after: int = 0) -> None:
        super().__init__(detail)
        self.status, self.error, self.detail, self.code = status, error, detail, code or error
        self.headers = {"Retry-After": str(retry_after)} if retry_after else {}
        if status == 401:
            self.headers["WWW-Authenticate"] = 'Basic realm="docent"'


class OAuthView(APIView):
    """A view that takes a form or JSON from a client that authenticates itself; limited by address."""

    authentication_classes = []
    permission_classes = []
    parser_classes = [FormParser, BoundedJSONParser]
    scope = None

    def answered(self, request: Request, answer: Callable[[Request], HttpResponseBase]) -> HttpResponseBase:
        """Returns the response of `answer`, or the problem that it raises as Refused."""
        try:
            _check_rate(request)
            return answer(request)
        except Refused as refused:
            return _problem(request, refused)


def problems(meanings: Mapping[int, str]) -> dict[Any, OpenApiResponse]:
    """Returns the error responses, for `extend_schema(responses=...)`."""
    told = {
        401: "The client is unknown, its secret wrong, or it is no longer valid.",
        415: "The body is neither a form nor JSON.",
        429: "Too many requests from this address; Retry-After says when.",
        **meanings,
    }
    return {
        **{(status, problem.CONTENT_TYPE): OpenApiResponse(OAuthProblem, told[status]) for status in sorted(told)},
        (503, problem.CONTENT_TYPE): OpenApiResponse(Problem, "The database is away; Retry-After says when."),
    }


def parameters(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    """Returns the named parameters, empty if missing; unknown ones are ignored (RFC 6749, section 3.2)."""
    body = _body(request)
    if not isinstance(body, Mapping):
        raise Refused(400, "invalid_request", "The body must be an object of parameters.")
    if nested := [name for name, value in body.items() if isinstance(value, (list, dict))]:
        raise Refused(400, "invalid_request", f"{printable(nested[0])} must be one string.")
    found = {}
    for name in names:
        given = body.getlist(name) if hasattr(body, "getlist") else [body[name]] if name in body else []
        if len(given) > 1 or not all(isinstance(value, str) for value in given):
            raise Refused(400, "invalid_request", f"{name} must be one string.")
        found[name] = given[0] if given else ""
    return found


def _body(request: Request) -> Any:
    try:
        refuse_charset(request.META.get("CONTENT_TYPE", ""))
        return request.data
    except exceptions.UnsupportedMediaType as error:
        raise Refused(415, "invalid_request", "The body must be a form or JSON.") from error
    except CodingRefused as error:
        raise Refused(415, "invalid_request", error.detail) from error
    except BodyTooLarge as error:
        raise Refused(413, "invalid_request", error.detail) from error
    except BadJSON as error:
        raise Refused(400, "invalid_request", error.detail) from error
    except TooManyFieldsSent as error:
        raise Refused(400, "invalid_request", "The form has too many fields.") from error


def authenticated(request: Request, given: Mapping[str, str], *, now: datetime) -> ApiClient:
    """Returns the client, authenticated by HTTP Basic or by `client_id` and `client_secret`."""
    client_id, secret = _credentials(request.META.get("HTTP_AUTHORIZATION", ""), given)
    try:
        return clients.verify(client_id=client_id, secret=secret, now=now)
    except clients.ClientRefused as error:
        raise Refused(401, "invalid_client", error.detail) from error


def _check_rate(request: Request) -> None:
    """Limits requests by address."""
    if wait := ip_rate_limit.wait_seconds(request._request, policy="token"):  # noqa: SLF001  # it takes Django's request
        detail = f"Too many token requests from this address; wait {wait} s. Each token is valid for many calls."
        raise Refused(429, "slow_down", detail, code="rate_limited", retry_after=wait)


def _credentials(header: str, given: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return given["client_id"], given["client_secret"]
    if given["client_secret"]:
        raise Refused(400, "invalid_request", "The client's secret is both in the body and in HTTP Basic.")
    try:
        client_id, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise Refused(401, "invalid_client", "The Basic credentials are not valid base64 of UTF-8.") from None
    return unquote_plus(client_id), unquote_plus(secret)


def _problem(request: Request, refused: Refused) -> HttpResponseBase:
    return problem.response(
        status=refused.status,
        code=refused.code,
        detail=refused.detail,
        request=request._request,  # noqa: SLF001  # DRF offers no other way to Django's request
        headers=refused.headers,
        extra={"error": refused.error, "error_description": refused.detail},
    )
