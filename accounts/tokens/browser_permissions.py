"""Permissions of browser tokens: one user's own lists and events, from pages of one origin.

A view opens itself to them with `browser_users = {"GET": browser_permissions.user_in_path}`.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.principal import Principal

SCOPES = frozenset({"recommendations:read", "events:write"})
ROWS_OF_UNIT = 10
# Returns every user that a request names. Values that are not ids are returned unchanged: they match no user.
NamedUsers = Callable[[Any, Mapping[str, Any]], Iterable[Any]]


def user_in_path(request: Any, path_parameters: Mapping[str, Any]) -> Iterable[Any]:
    """Finds the user in the path, as `user_id`."""
    return [path_parameters.get("user_id")]


def user_in_body(request: Any, path_parameters: Mapping[str, Any]) -> Iterable[Any]:
    """Finds the user in the body, as `user_id`."""
    body = _body(request)
    return [body.get("user_id") if isinstance(body, Mapping) else None]


def users_in_events(request: Any, path_parameters: Mapping[str, Any]) -> Iterable[Any]:
    """Finds the users of the body's `events`, as `user_id` of each."""
    body = _body(request)
    rows = body.get("events") if isinstance(body, Mapping) else None
    if not isinstance(rows, list) or not rows:
        return [None]
    return [row.get("user_id") if isinstance(row, Mapping) else None for row in rows]


def refusal_reason(principal: Principal, request: Any, view: Any) -> str:
    """Returns why a browser token may not do this; empty if it may, and for all other tokens."""
    if not principal.user_id:
        return ""
    if request.META.get("HTTP_ORIGIN", "") != principal.origin:
        return "The token is for pages of another origin."
    method = "GET" if request.method == "HEAD" else request.method
    named: NamedUsers | None = getattr(view, "browser_users", {}).get(method)
    if named is None:
        return "The token is limited to its user's own recommendations and events."
    if any(each != principal.user_id for each in named(request, view.kwargs)):
        return "The token is for another user."
    return ""


def request_cost(principal: Principal, request: Any, view: Any) -> int:
    """Returns the cost of a write: one, and with a browser token one more for each ten rows beyond the first."""
    named: NamedUsers | None = getattr(view, "browser_users", {}).get(request.method)
    if not principal.user_id or named is None:
        return 1
    return 1 + (sum(1 for _ in named(request, view.kwargs)) - 1) // ROWS_OF_UNIT


def _body(request: Any) -> Any:
    _ = request.body  # keeps the bytes for later readers
    return request.data
