"""Asking the endpoints of OAuth 2.0."""

from typing import Any

from django.test import Client

TOKEN, REVOKE = "/api/v1/auth/token", "/api/v1/auth/revoke"


def ask(caller: Any, path: str = TOKEN, /, headers: dict[str, str] | None = None, **body: str) -> Any:
    """A request with the caller's credentials in its body."""
    own = {"client_id": caller.client.client_id, "client_secret": caller.secret}
    http = Client(raise_request_exception=False)
    return http.post(path, {**own, **body}, content_type="application/json", headers=headers)


def grant(caller: Any, scope: str = "catalog:read offline_access", **more: Any) -> Any:
    """A grant with a refresh token."""
    response = ask(caller, grant_type="client_credentials", scope=scope, **more)
    assert response.status_code == 200, response.json()
    return response.json()


def refresh(caller: Any, token: str, **more: Any) -> Any:
    """The use of a refresh token."""
    return ask(caller, grant_type="refresh_token", refresh_token=token, **more)


def get(token: str, path: str = "/api/v1/items?limit=1", **headers: str) -> int:
    """The status of a read with the token."""
    return Client().get(path, headers={"Authorization": f"Bearer {token}", **headers}).status_code
