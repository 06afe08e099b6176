"""General parts of the OpenAPI document: introduction, contact, tags. Read by base.py."""

from typing import Any

from config import env

_INTRODUCTION = """\
Self-hosted, multi-tenant recommendations. Lists are never empty while an item is available, never wait for AI,
and always say how they were made.

## Your first request

1. **Get a client.** Staff create an API client for your tenant in the admin and hand you its `client_id` and
   `client_secret` (shown once).
2. **Get a token.** It is valid for 15 minutes and many requests; request another when it expires.

   ```
   curl -X POST {base}/api/v1/auth/token \\
        -d grant_type=client_credentials -d client_id=dc_... -d client_secret=...
   ```
3. **Send it** with every request.

   ```
   curl {base}/api/v1/users/42/recommendations -H "Authorization: Bearer eyJ..."
   ```

Pages in a browser get their own token from your backend, for one user: `POST /api/v1/auth/end-user-token`.

## For every operation

- **Errors** are problem documents (RFC 9457): `code` is for programs, `detail` for people, `type` links to a page that
  says what to do. Unknown fields and parameters are errors, never ignored.
- **Writes** marked `x-idempotent-write` accept an `Idempotency-Key`, so that they can be retried safely.
- **Reads** answer with an `ETag`; send it back in `If-None-Match` and an unchanged answer is 304, without a body.
- **Lists** have pages: `next` is the `cursor` of the next page, `null` on the last one.
- **Limits** are in `RateLimit` and `RateLimit-Policy`; 429 says in `Retry-After` when to try again.

## How this document changes

Version 1 only grows. An answer may get a new field, so clients must ignore fields they do not know, although each
schema here is closed and lists every field there is today. The values of an `enum` in an answer never grow;
fields whose values may are strings, with the current ones in `x-extensible-enum`.
"""
_SIMULATED = "\n**AI is simulated here**: a bundled program answers instead of a model.\n"
# In the order in which they are shown.
_TAGS = {
    "recommendations": "Lists for users, items, sessions and for everyone: the purpose of the service.",
    "events": "Events of users: clicks, purchases, ratings. Lists are learnt from them.",
    "catalogue": "The items that can be recommended.",
    "users": "The end users: their attributes, and their rights to a copy and to erasure.",
    "imports": "Files of items, users or events, imported as jobs.",
    "insights": "Results of lists: impressions, clicks, conversions.",
    "usage": "The plan, its usage and remaining limits.",
    "auth": "Access tokens (OAuth 2.0 client credentials), browser tokens, and the keys that verify them.",
}


def _contact() -> dict[str, str]:
    """Returns the operator's contact details that are set."""
    given = {
        "name": env.text("API_CONTACT_NAME", "The operator of this service"),
        "url": env.url("API_CONTACT_URL"),
        "email": env.text("API_CONTACT_EMAIL"),
    }
    return {name: value for name, value in given.items() if value}


def spectacular_settings(*, simulated: bool) -> dict[str, Any]:
    """Settings of drf-spectacular. The same for JSON, YAML, and both pages."""
    return {
        "TITLE": "Docent",
        "DESCRIPTION": _INTRODUCTION.replace("{base}", "https://docent.example.com")
        + (_SIMULATED if simulated else ""),
        "VERSION": "1.0.0",
        "OAS_VERSION": "3.1.1",
        "CONTACT": _contact(),
        "LICENSE": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        "SERVERS": [{"url": "/", "description": "The service that this document came from"}],
        "TAGS": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "SERVE_INCLUDE_SCHEMA": False,
        "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
        "SERVE_AUTHENTICATION": [],
        "SWAGGER_UI_DIST": "SIDECAR",
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
        "REDOC_DIST": "SIDECAR",
        "SORT_OPERATIONS": False,  # as in the routes, by tag (core.http.openapi)
        "COMPONENT_SPLIT_REQUEST": True,
        "COMPONENT_SPLIT_PATCH": False,  # a body of PATCH has the fields of PUT's, all optional in both
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
        "ENUM_NAME_OVERRIDES": {
            "ImportKind": "recommendations.api.v1.serializers.import_requests.KINDS",
            "ImportStatus": "recommendations.api.v1.serializers.imports.STATUSES",
            "RowStatus": "recommendations.api.v1.serializers.batches.ROW_STATUSES",
            "QuotaPolicy": "recommendations.api.v1.serializers.usage.QUOTA_POLICIES",
            "GrantType": "accounts.api.v1.token.GRANTS",
            "TokenType": "accounts.api.v1.token.TOKEN_TYPES",
            "BrowserTokenType": ["Bearer"],
            "Inclusion": ["item"],
            "KeyAlgorithm": "accounts.api.v1.keys.ALGORITHMS",
            "KeyCurve": ["P-256"],
            "KeyType": ["RSA", "EC"],
            "KeyUse": ["sig"],
        },
        "SCHEMA_PATH_PREFIX": "/api/v1",
        "POSTPROCESSING_HOOKS": [
            "drf_spectacular.hooks.postprocess_schema_enums",
            "recommendations.api.v1.fields.add_components",
            "core.http.openapi.complete",
            "accounts.api.schema.add_limits",
        ],
    }
