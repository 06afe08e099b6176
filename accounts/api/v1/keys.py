"""GET /.well-known/jwks.json: the keys that verify our tokens."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.tenancy import tenant_cache
from core import clock
from core.http.serializers import problems

# RFC 7517, appendix A.1
_POINT = {
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}
ALGORITHMS = ["RS256", "ES256"]


class JsonWebKey(serializers.Serializer[Any]):
    use = serializers.ChoiceField(["sig"])
    alg = serializers.ChoiceField(ALGORITHMS)
    kid = serializers.CharField(help_text="The key's thumbprint (RFC 7638)")
    kty = serializers.ChoiceField(["RSA", "EC"])
    n = serializers.CharField(required=False, help_text="RSA")
    e = serializers.CharField(required=False, help_text="RSA")
    crv = serializers.ChoiceField(["P-256"], required=False, help_text="EC")
    x = serializers.CharField(required=False, help_text="EC")
    y = serializers.CharField(required=False, help_text="EC")


class JsonWebKeySet(serializers.Serializer[Any]):
    keys = JsonWebKey(many=True)


class KeysView(APIView):
    """The public keys."""

    authentication_classes = []
    permission_classes = []
    scope = None

    @extend_schema(
        operation_id="jwks",
        summary="List the public keys that verify tokens",
        tags=["auth"],
        auth=[],
        responses={200: JsonWebKeySet, **problems(429)},
        examples=[
            OpenApiExample(
                "One key",
                response_only=True,
                value={"keys": [{"use": "sig", "alg": "ES256", "kid": "NzbLsXh8uDCcd", "kty": "EC", **_POINT}]},
                status_codes=["200"],
            )
        ],
    )
    def get(self, request: Request) -> Response:
        """The JWK set (RFC 7517), cacheable for five minutes: the next key, the current one, and those that retire."""
        published = tenant_cache.current().ring.published(moment=clock.now().timestamp())
        return Response({"keys": published}, headers={"Cache-Control": "public, max-age=300"})


jwks_document = KeysView.as_view()
