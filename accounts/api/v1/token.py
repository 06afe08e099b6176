"""POST /api/v1/auth/token: OAuth 2.0 client credentials (RFC 6749 section 4.4)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.parsers import FormParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import clients, tokens
from core import address_limits, clock, problem
from core.json_body import BoundedJSONParser
from core.serializers import Problem

PARAMETERS = ("grant_type", "client_id", "client_secret", "scope")


class TokenRequest(serializers.Serializer[Any]):
    grant_type = serializers.ChoiceField(["client_credentials"])
    client_id = serializers.CharField(required=False, help_text="Here or in HTTP Basic.")
    client_secret = serializers.CharField(required=False, help_text="Here or in HTTP Basic.")
    scope = serializers.CharField(required=False, help_text="Words separated by blanks; none: all that the client may.")


class TokenResponse(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(["Bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds")
    scope = serializers.CharField()


class TokenProblem(Problem):
    """A problem that is also an error of RFC 6749, section 5.2."""

    error = serializers.CharField()
    error_description = serializers.CharField()


class TokenRefused(Exception):
    """The answer to a request that gets no token."""

    def __init__(self, status: int, error: str, detail: str, *, code: str = "", retry_after: int = 0) -> None:
        super().__init__(detail)
        self.status, self.error, self.detail, self.code = status, error, detail, code or error
        self.headers = {"Retry-After": str(retry_after)} if retry_after else {}
        if status == 401:
            self.headers["WWW-Authenticate"] = 'Basic realm="docent"'


class TokenView(APIView):
    """Exchanges a client's id and secret for an access token."""

    authentication_classes = []
    permission_classes = []
    parser_classes = [FormParser, BoundedJSONParser]
    scope = None

    @extend_schema(
        operation_id="auth_token",
        tags=["auth"],
        auth=[],
        request={"application/x-www-form-urlencoded": TokenRequest, "application/json": TokenRequest},
        responses={
            200: TokenResponse,
            **{
                (status, problem.CONTENT_TYPE): OpenApiResponse(TokenProblem, meaning)
                for status, meaning in {
                    400: "The request is not one for a token; `error` says why.",
                    401: "The client is unknown, its secret wrong, or it is no longer valid.",
                    415: "The body is neither a form nor JSON.",
                    429: "Too many requests from this address; Retry-After says when.",
                }.items()
            },
            (503, problem.CONTENT_TYPE): OpenApiResponse(Problem, "The database is away; Retry-After says when."),
        },
        examples=[
            OpenApiExample(
                "Client credentials",
                request_only=True,
                value={"grant_type": "client_credentials", "client_id": "dc_0123", "client_secret": "..."},
            )
        ],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Issues an access token. The credentials stand in the body (form or JSON) or in HTTP Basic."""
        try:
            _check_rate(request)
            return Response(_token(request), headers={"Cache-Control": "no-store", "Pragma": "no-cache"})
        except TokenRefused as refused:
            return _problem(request, refused)


def _token(request: Request) -> dict[str, Any]:
    parameters = _parameters(request)
    if not parameters["grant_type"]:
        raise TokenRefused(400, "invalid_request", "grant_type is missing.")
    if parameters["grant_type"] != "client_credentials":
        raise TokenRefused(400, "unsupported_grant_type", "grant_type must be client_credentials.")
    client_id, secret = _credentials(request.META.get("HTTP_AUTHORIZATION", ""), parameters)
    now = clock.now()
    try:
        client = clients.verify(client_id=client_id, secret=secret, now=now)
    except clients.ClientRefused as error:
        raise TokenRefused(401, "invalid_client", error.detail) from error
    asked = parameters["scope"].split()
    if not set(asked) <= set(client.scopes):
        raise TokenRefused(400, "invalid_scope", f"The client may ask for {', '.join(client.scopes) or 'nothing'}.")
    granted = sorted(set(asked or client.scopes))
    return {
        "access_token": tokens.issue(client=client, scopes=granted, now=now),
        "token_type": "Bearer",
        "expires_in": tokens.lifetime_seconds(client=client, now=now),
        "scope": " ".join(granted),
    }


def _check_rate(request: Request) -> None:
    """Per address."""
    if wait := address_limits.wait_seconds(request._request, policy="token"):  # noqa: SLF001  # it takes Django's request
        detail = f"Too many token requests from this address; wait {wait} s. A token is good for many calls."
        raise TokenRefused(429, "slow_down", detail, code="rate_limited", retry_after=wait)


def _parameters(request: Request) -> dict[str, str]:
    """The known parameters, an empty string for a missing one; unknown ones are ignored (RFC 6749, section 3.2)."""
    try:
        body = request.data
    except exceptions.UnsupportedMediaType as error:
        raise TokenRefused(415, "invalid_request", "The body must be a form or JSON.") from error
    except exceptions.ParseError as error:
        raise TokenRefused(400, "invalid_request", "The body is not valid JSON.") from error
    if not isinstance(body, Mapping):
        raise TokenRefused(400, "invalid_request", "The body must be an object of parameters.")
    found = {}
    for name in PARAMETERS:
        given = body.getlist(name) if hasattr(body, "getlist") else [body[name]] if name in body else []
        if len(given) > 1 or not all(isinstance(value, str) for value in given):
            raise TokenRefused(400, "invalid_request", f"{name} must be one string.")
        found[name] = given[0] if given else ""
    return found


def _credentials(header: str, parameters: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return parameters["client_id"], parameters["client_secret"]
    if parameters["client_secret"]:
        raise TokenRefused(400, "invalid_request", "The client's secret stands in the body and in HTTP Basic.")
    try:
        client_id, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise TokenRefused(401, "invalid_client", "The Basic credentials are not valid base64 of UTF-8.") from None
    return unquote_plus(client_id), unquote_plus(secret)


def _problem(request: Request, refused: TokenRefused) -> HttpResponseBase:
    return problem.response(
        status=refused.status,
        code=refused.code,
        detail=refused.detail,
        request=request._request,  # noqa: SLF001  # DRF offers no other way to Django's request
        headers=refused.headers,
        extra={"error": refused.error, "error_description": refused.detail},
    )
