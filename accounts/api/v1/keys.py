"""GET /.well-known/jwks.json: the keys that verify our tokens."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from accounts import jwks


@require_safe
def jwks_document(_request: HttpRequest) -> JsonResponse:
    """The JWK set (RFC 7517), cacheable for five minutes."""
    return JsonResponse({"keys": jwks.published()}, headers={"Cache-Control": "public, max-age=300"})
