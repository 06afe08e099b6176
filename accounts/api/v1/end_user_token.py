"""POST /api/v1/auth/end-user-token: a token for one person's browser, asked for by the tenant's backend."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.v1 import oauth
from accounts.tokens import access_tokens, browser_permissions
from accounts.tokens.authentication import caller
from accounts.tokens.scopes import TOKENS_ISSUE
from core import clock, origins
from core.errors import FieldError, InvalidInput
from core.http.json_body import BoundedJSONParser
from core.http.serializers import ExternalId, StrictBody, problems

_SHORTEST, _LONGEST, _USUAL = 60, 3600, 900
_NAMES = " or ".join(sorted(browser_permissions.SCOPES))


@extend_schema_serializer(component_name="EndUserToken")
class EndUserTokenRequest(StrictBody):
    user_id = ExternalId()
    origin = serializers.CharField(max_length=300, trim_whitespace=False, help_text="The page's, as browsers send it.")
    scope = serializers.CharField(
        required=False, max_length=200, help_text=f"{_NAMES}, or both; none: those that the caller has."
    )
    expires_in = serializers.IntegerField(
        required=False, min_value=_SHORTEST, max_value=_LONGEST, default=_USUAL, help_text="Seconds"
    )


class EndUserTokenResponse(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(["Bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds")
    scope = serializers.CharField()
    user_id = serializers.CharField()
    origin = serializers.CharField()


class EndUserTokenView(APIView):
    """Issues tokens that may leave the backend."""

    parser_classes = [BoundedJSONParser]
    scope = TOKENS_ISSUE

    @extend_schema(
        operation_id="auth_end_user_token",
        summary="Get a token for one user's browser",
        tags=["auth"],
        request=EndUserTokenRequest,
        responses={200: EndUserTokenResponse, **problems(400, 401, 403, 413, 415, 422, 503)},
        examples=[
            OpenApiExample(
                "For a shop's page",
                request_only=True,
                value={"user_id": "42", "origin": "https://shop.example.org", "expires_in": 900},
            ),
            OpenApiExample(
                "A browser's token",
                response_only=True,
                status_codes=["200"],
                value={
                    "access_token": "eyJhbGciOiJSUzI1NiIs...",
                    "token_type": "Bearer",
                    "expires_in": 900,
                    "scope": "events:write recommendations:read",
                    "user_id": "42",
                    "origin": "https://shop.example.org",
                },
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """A token for one user's own recommendations and events, valid only with the `Origin` it names.

        It may do no more than the caller, and ends with the caller's client.
        """
        asked = EndUserTokenRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        body: dict[str, Any] = asked.validated_data
        principal = caller(request)
        if reason := origins.refusal_reason(body["origin"], production=settings.PRODUCTION):
            _refuse("/origin", "bad_origin", f"The origin {reason}.")
        grantable = browser_permissions.SCOPES & principal.scopes
        if not grantable:
            raise exceptions.PermissionDenied(f"The caller's own token has neither {_NAMES}.")
        scopes = set(body.get("scope", "").split()) or grantable
        if not scopes <= grantable:
            _refuse("/scope", "unknown_scope", f"May be {' '.join(sorted(grantable))}.")
        issued = access_tokens.mint_for_user(
            principal=principal,
            user_id=body["user_id"],
            origin=body["origin"],
            scopes=scopes,
            seconds=body["expires_in"],
            now=clock.now(),
        )
        answer = {
            "access_token": issued.token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "scope": " ".join(issued.scopes),
            "user_id": body["user_id"],
            "origin": body["origin"],
        }
        return Response(answer, headers=oauth.NOT_STORED)


def _refuse(pointer: str, code: str, detail: str) -> None:
    raise InvalidInput(detail, errors=[FieldError(pointer, code, detail)])
