"""How access tokens stand in the OpenAPI document: OAuth 2.0 client credentials, with each operation's scope."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from accounts.permissions import SCOPES, needed_scope

NAME = "oauth2"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The security scheme of BearerAuthentication."""

    target_class = "accounts.authentication.BearerAuthentication"
    name = NAME

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """The token endpoint and every scope there is."""
        flow = {"tokenUrl": "/api/v1/auth/token", "scopes": dict(SCOPES)}
        return {"type": "oauth2", "flows": {"clientCredentials": flow}}

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        """The scope that this operation demands."""
        scope = needed_scope(auto_schema.view, auto_schema.method)
        return {NAME: [scope] if scope else []}
