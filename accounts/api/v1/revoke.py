"""POST /api/v1/auth/revoke: ends a token before its time (RFC 7009)."""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api.v1 import oauth
from accounts.api.v1.oauth import OAuthView, Refused
from accounts.models import ApiClient
from accounts.tenancy import scope
from accounts.tokens import access_tokens, refresh, revocations
from core import clock

PARAMETERS = ("token", "token_type_hint", "client_id", "client_secret")


@extend_schema_serializer(component_name="Revoke")
class RevokeRequest(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="An access token; or a refresh token, which revokes its whole grant.")
    token_type_hint = serializers.CharField(
        required=False, allow_blank=True, help_text="Not needed: the token determines it."
    )
    client_id = serializers.CharField(required=False, help_text="Here or in HTTP Basic.")
    client_secret = serializers.CharField(required=False, help_text="Here or in HTTP Basic.")


class RevokeView(OAuthView):
    """Takes back what the token endpoint gave."""

    @extend_schema(
        operation_id="auth_revoke",
        summary="Revoke a token",
        tags=["auth"],
        auth=[],
        request={oauth.FORM: RevokeRequest},  # JSON is taken as well; generators need one form
        responses={
            200: OpenApiResponse(description="The token is revoked, within 5 seconds everywhere; or it was not valid."),
            **oauth.problems({400: "The request names no token, or another client's."}),
        },
        examples=[
            OpenApiExample(
                "A refresh token",
                request_only=True,
                media_type=oauth.FORM,
                value={"token": "dr_...", "client_id": "dc_0123", "client_secret": "..."},
            )
        ],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Revokes a token of the client. One that is unknown or has ended answers 200 as well (RFC 7009, 2.2)."""
        return self.answered(request, _answer)


def _answer(request: Request) -> HttpResponseBase:
    given = oauth.parameters(request, PARAMETERS)
    now = clock.now()
    client = oauth.authenticated(request, given, now=now)
    token = given["token"]
    if not token:
        raise Refused(400, "invalid_request", "token is missing.")
    if token.startswith(refresh.PREFIX):
        try:
            refresh.revoke(token, client=client, now=now)
        except refresh.GrantRefused as error:
            raise Refused(400, "invalid_grant", error.detail) from error
    else:
        _revoke_access(token, client, now)
    return HttpResponse(status=200, headers=oauth.NOT_STORED, content_type="application/json")


def _revoke_access(token: str, client: ApiClient, now: datetime) -> None:
    try:
        principal = access_tokens.verify(token, now=now)
    except access_tokens.TokenRefused:
        return
    if principal.client_id != client.client_id:
        raise Refused(400, "invalid_grant", "The token was issued to another client.")
    expires_at = datetime.fromtimestamp(principal.expires, UTC)
    with scope.tenant(client.tenant_id):
        revocations.revoke_tokens(tenant_id=client.tenant_id, tokens=[(principal.token_id, expires_at)], now=now)
