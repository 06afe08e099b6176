"""GET /.well-known/oauth-authorization-server: where the endpoints are, and what they can (RFC 8414)."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.v1.token import GRANTS
from accounts.tokens.dpop import ALGORITHMS
from accounts.tokens.scopes import SCOPES
from core.http.serializers import problems

_METHODS = ["client_secret_basic", "client_secret_post"]


@extend_schema_serializer(component_name="AuthorizationServerMetadata")
class Metadata(serializers.Serializer[Any]):
    issuer = serializers.CharField(help_text="`iss` of every token")
    token_endpoint = serializers.CharField()
    revocation_endpoint = serializers.CharField()
    jwks_uri = serializers.CharField()
    grant_types_supported = serializers.ListField(child=serializers.CharField())
    response_types_supported = serializers.ListField(child=serializers.CharField(), help_text="Empty: no log-in.")
    scopes_supported = serializers.ListField(child=serializers.CharField())
    token_endpoint_auth_methods_supported = serializers.ListField(child=serializers.CharField())
    revocation_endpoint_auth_methods_supported = serializers.ListField(child=serializers.CharField())
    dpop_signing_alg_values_supported = serializers.ListField(child=serializers.CharField())


class MetadataView(APIView):
    """Everything that a client needs to configure itself."""

    authentication_classes = []
    permission_classes = []
    scope = None

    @extend_schema(
        operation_id="oauth_metadata",
        summary="Get the authorization server's metadata",
        tags=["auth"],
        auth=[],
        responses={200: Metadata, **problems(429)},
        examples=[
            OpenApiExample(
                "Metadata",
                response_only=True,
                value={
                    "issuer": "https://docent.example.org",
                    "token_endpoint": "https://docent.example.org/api/v1/auth/token",
                    "revocation_endpoint": "https://docent.example.org/api/v1/auth/revoke",
                    "jwks_uri": "https://docent.example.org/.well-known/jwks.json",
                    "grant_types_supported": list(GRANTS),
                    "response_types_supported": [],
                    "scopes_supported": list(SCOPES),
                    "token_endpoint_auth_methods_supported": _METHODS,
                    "revocation_endpoint_auth_methods_supported": _METHODS,
                    "dpop_signing_alg_values_supported": list(ALGORITHMS),
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """The authorization server's metadata, cacheable for five minutes."""
        return Response(document(request), headers={"Cache-Control": "public, max-age=300"})


def document(request: Request) -> dict[str, Any]:
    """The metadata, with addresses under the host that was asked."""
    return {
        "issuer": settings.JWT_ISSUER,
        "token_endpoint": request.build_absolute_uri(reverse("auth-token")),
        "revocation_endpoint": request.build_absolute_uri(reverse("auth-revoke")),
        "jwks_uri": request.build_absolute_uri(reverse("jwks")),
        "grant_types_supported": list(GRANTS),
        "response_types_supported": [],
        "scopes_supported": list(SCOPES),
        "token_endpoint_auth_methods_supported": _METHODS,
        "revocation_endpoint_auth_methods_supported": _METHODS,
        "dpop_signing_alg_values_supported": list(ALGORITHMS),
    }


metadata_document = MetadataView.as_view()
