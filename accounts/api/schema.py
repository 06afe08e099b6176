"""Access tokens and limits in the OpenAPI document: OAuth 2.0 client credentials, each operation's scope."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from accounts.tokens.scopes import SCOPES, needed_scope
from core.http.problem import CONTENT_TYPE

NAME = "oauth2"
_HEADERS = {
    "RateLimit-Policy": "Limits of the plan (draft-ietf-httpapi-ratelimit-headers-11); absent without a limit.",
    "RateLimit": "The remaining requests, and the seconds until all are available again.",
}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The security scheme of BearerAuthentication."""

    target_class = "accounts.tokens.authentication.BearerAuthentication"
    name = NAME

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Returns the token endpoint and all scopes."""
        flow = {"tokenUrl": "/api/v1/auth/token", "scopes": dict(SCOPES)}
        return {"type": "oauth2", "flows": {"clientCredentials": flow}}

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        """Returns the scope that this operation requires."""
        scope = needed_scope(auto_schema.view, auto_schema.method)
        return {NAME: [scope] if scope else []}


def add_limits(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Adds the rate limit headers and the 429 to every operation that takes a token; a hook of drf-spectacular.

    All responses have the headers but 401 and 403, which precede the check of limits.
    """
    headers = result.setdefault("components", {}).setdefault("headers", {})
    headers |= {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()}
    admitted = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}
    for path in result["paths"].values():
        for operation in path.values():
            if not any(NAME in need for need in operation.get("security", [])):
                continue
            operation["responses"]["429"] = {
                "description": "The plan's limit or the month's quota is used up; retry after Retry-After seconds.",
                "headers": {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}},
                "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }
            operation["responses"] = dict(sorted(operation["responses"].items()))
            for status, response in operation["responses"].items():
                if status not in {"401", "403"}:
                    response.setdefault("headers", {}).update(admitted)
    return result
