"""POST /api/v1/auth/token: OAuth 2.0 client credentials (RFC 6749 section 4.4)."""

import base64
import binascii
from typing import Any
from urllib.parse import unquote_plus

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_ratelimit.core import is_ratelimited
from drf_spectacular.utils import OpenApiExample, extend_schema
from redis.exceptions import RedisError
from rest_framework import serializers
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import clients, tokens
from core import clock, problem


class TokenRequest(serializers.Serializer[Any]):
    grant_type = serializers.CharField()
    client_id = serializers.CharField(required=False)
    client_secret = serializers.CharField(required=False)
    scope = serializers.CharField(required=False, help_text="Words separated by blanks; none: all that the client may.")


class TokenResponse(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds")
    scope = serializers.CharField()


class TokenView(APIView):
    """Exchanges a client's id and secret for an access token."""

    authentication_classes = []
    permission_classes = []
    parser_classes = [FormParser, JSONParser]
    scope = None

    @extend_schema(
        operation_id="auth_token",
        tags=["auth"],
        auth=[],
        request={"application/x-www-form-urlencoded": TokenRequest, "application/json": TokenRequest},
        responses={200: TokenResponse},
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
        django_request = request._request  # noqa: SLF001  # django-ratelimit takes Django's request
        if _limited(django_request):
            return _refusal(django_request, 429, "slow_down", "Too many token requests from this address.", retry=60)
        body = request.data if hasattr(request.data, "get") else {}
        if body.get("grant_type") != "client_credentials":
            return _refusal(django_request, 400, "unsupported_grant_type", "grant_type must be client_credentials.")
        try:
            client_id, secret = _credentials(request.META.get("HTTP_AUTHORIZATION", ""), body)
            now = clock.now()
            client = clients.verify(client_id=client_id, secret=secret, now=now)
        except clients.ClientRefused as error:
            return _refusal(django_request, 401, "invalid_client", error.detail)
        asked = str(body.get("scope") or "").split()
        if beyond := sorted(set(asked) - set(client.scopes)):
            detail = f"The client may not ask for {', '.join(beyond)}."
            return _refusal(django_request, 400, "invalid_scope", detail)
        granted = sorted(asked or client.scopes)
        answer = {
            "access_token": tokens.issue(client=client, scopes=granted, now=now),
            "token_type": "Bearer",
            "expires_in": settings.ACCESS_TOKEN_SECONDS,
            "scope": " ".join(granted),
        }
        return Response(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def _limited(request: Any) -> bool:
    """Per address. Without Redis nobody is shut out here: a wrong secret is as wrong as before."""
    try:
        return bool(
            is_ratelimited(request, group="token", key="ip", rate=settings.TOKEN_RATE, method="POST", increment=True)
        )
    except RedisError:
        return False


def _credentials(header: str, body: Any) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return str(body.get("client_id") or ""), str(body.get("client_secret") or "")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise clients.ClientRefused("The Basic credentials are not valid base64.") from None
    return unquote_plus(client_id), unquote_plus(secret)


def _refusal(request: HttpRequest, status: int, error: str, detail: str, retry: int | None = None) -> HttpResponseBase:
    headers = {"Retry-After": str(retry)} if retry else {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="docent"'
    return problem.response(
        status=status,
        code=error,
        detail=detail,
        request=request,
        headers=headers,
        extra={"error": error, "error_description": detail},
    )
