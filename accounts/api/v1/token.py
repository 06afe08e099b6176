"""POST /api/v1/auth/token: OAuth 2.0 client credentials (RFC 6749 section 4.4) and refresh tokens (section 6)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.v1 import oauth
from accounts.api.v1.oauth import OAuthView, Refused
from accounts.models import ApiClient
from accounts.tokens import access_tokens, dpop, refresh
from accounts.tokens.access_tokens import Issued
from accounts.tokens.scopes import OFFLINE_ACCESS
from core import clock
from core.http import client_address

PARAMETERS = ("grant_type", "client_id", "client_secret", "scope", "refresh_token")
CLIENT_CREDENTIALS, REFRESH_TOKEN = GRANTS = ("client_credentials", "refresh_token")
TOKEN_TYPES = ("Bearer", "DPoP")


@extend_schema_serializer(component_name="Token")
class TokenRequest(serializers.Serializer[Any]):
    grant_type = serializers.ChoiceField(GRANTS)
    client_id = serializers.CharField(required=False, help_text="Here or in HTTP Basic.")
    client_secret = serializers.CharField(required=False, help_text="Here or in HTTP Basic.")
    scope = serializers.CharField(
        allow_blank=True,
        required=False,
        help_text="Separated by spaces; none: all scopes of the client except offline_access.",
    )
    refresh_token = serializers.CharField(required=False, help_text="For grant_type refresh_token. It works once.")


class TokenResponse(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(TOKEN_TYPES)
    expires_in = serializers.IntegerField(help_text="Seconds")
    scope = serializers.CharField()
    refresh_token = serializers.CharField(required=False, help_text="Only if offline_access was requested.")


class TokenView(OAuthView):
    """Exchanges a client's id and secret for an access token."""

    @extend_schema(
        operation_id="auth_token",
        summary="Get an access token",
        tags=["auth"],
        auth=[],
        parameters=[
            OpenApiParameter(
                "DPoP",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="A proof (RFC 9449), to whose key the tokens are bound.",
            )
        ],
        request={oauth.FORM: TokenRequest},  # JSON is taken as well; generators need one form
        responses={
            200: TokenResponse,
            **oauth.problems({400: "The request is not one for a token; `error` says why."}),
        },
        examples=[
            OpenApiExample(
                "Client credentials",
                request_only=True,
                media_type=oauth.FORM,
                value={"grant_type": CLIENT_CREDENTIALS, "client_id": "dc_0123", "client_secret": "..."},
            ),
            OpenApiExample(
                "Refresh",
                request_only=True,
                media_type=oauth.FORM,
                value={
                    "grant_type": REFRESH_TOKEN,
                    "client_id": "dc_0123",
                    "client_secret": "...",
                    "refresh_token": "dr_...",
                },
            ),
            OpenApiExample(
                "An access token",
                response_only=True,
                status_codes=["200"],
                value={
                    "access_token": "eyJhbGciOiJSUzI1NiIs...",
                    "token_type": "Bearer",
                    "expires_in": 900,
                    "scope": "recommendations:read",
                },
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Issues an access token. The credentials are in the body (form or JSON) or in HTTP Basic.

        It includes a refresh token if the scope offline_access was requested. It works once: its use gives the
        next one, and a second use ends the whole grant.
        """
        return self.answered(request, _answer)


def _answer(request: Request) -> HttpResponseBase:
    given = oauth.parameters(request, PARAMETERS)
    if not given["grant_type"]:
        raise Refused(400, "invalid_request", "grant_type is missing.")
    if given["grant_type"] not in GRANTS:
        raise Refused(400, "unsupported_grant_type", f"grant_type must be {' or '.join(GRANTS)}.")
    now = clock.now()
    client = oauth.authenticated(request, given, now=now)
    thumbprint = _bound_to(request, client, now)
    asked = given["scope"].split()
    if given["grant_type"] == REFRESH_TOKEN:
        return _refreshed(request, client, given, asked, now, thumbprint)
    if not set(asked) <= set(client.scopes):
        raise Refused(400, "invalid_scope", f"The client may ask for {', '.join(client.scopes) or 'nothing'}.")
    if OFFLINE_ACCESS in asked:
        granted = refresh.start(client=client, scopes=set(asked), now=now, key_thumbprint=thumbprint)
        return _tokens(granted.access, thumbprint, refresh_token=granted.refresh_token)
    scopes = set(asked or client.scopes) - {OFFLINE_ACCESS}
    return _tokens(access_tokens.mint(client=client, scopes=scopes, now=now, key_thumbprint=thumbprint), thumbprint)


def _bound_to(request: Request, client: ApiClient, now: datetime) -> str:
    """Returns the thumbprint of the proof's key, which the token is bound to; empty without a proof."""
    http_request = request._request  # noqa: SLF001  # DRF offers no other way to Django's request
    raw = request.META.get("HTTP_DPOP")
    if raw is None:
        if client.tenant.require_dpop:
            raise Refused(400, "invalid_dpop_proof", "The tenant requires a DPoP proof with every token request.")
        return ""
    try:
        proof = dpop.verify_proof(raw, method="POST", url=http_request.build_absolute_uri(request.path), now=now)
        dpop.consume(
            proof,
            tenant_id=client.tenant_id,
            client_id=client.client_id,
            address=client_address.client_ip(http_request),
            now=now,
        )
    except dpop.ProofRefused as error:
        raise Refused(400, "invalid_dpop_proof", error.detail) from error
    return proof.key_thumbprint


def _refreshed(
    request: Request, client: ApiClient, given: Mapping[str, str], asked: list[str], now: datetime, thumbprint: str
) -> HttpResponseBase:
    if not given["refresh_token"]:
        raise Refused(400, "invalid_request", "refresh_token is missing.")
    address = client_address.client_ip(request._request)  # noqa: SLF001  # it takes Django's request
    try:
        granted = refresh.exchange(
            given["refresh_token"], client=client, asked=asked, address=address, now=now, key_thumbprint=thumbprint
        )
    except refresh.GrantRefused as error:
        raise Refused(401, "invalid_grant", error.detail) from error
    except refresh.ScopeRefused as error:
        raise Refused(400, "invalid_scope", error.detail) from error
    return _tokens(granted.access, thumbprint, refresh_token=granted.refresh_token)


def _tokens(issued: Issued, thumbprint: str, **more: str) -> Response:
    body = {
        "access_token": issued.token,
        "token_type": "DPoP" if thumbprint else "Bearer",
        "expires_in": issued.expires_in,
        "scope": " ".join(issued.scopes),
        **more,
    }
    return Response(body, headers=oauth.NOT_STORED)
