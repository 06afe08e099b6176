"""What the token of a person's browser may do: that person's lists and events, from pages of its one origin.

Stated once, here: a view that does not say where the person stands in its requests is closed to such tokens.

    person = {"GET": end_user.in_path}
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.principal import Principal

SCOPES = frozenset({"recommendations:read", "events:write"})
ROWS_OF_UNIT = 10
# Every person whom a request names. What cannot be a person's id is given as it is: it is nobody's.
People = Callable[[Any, Mapping[str, Any]], Iterable[Any]]


def in_path(request: Any, given: Mapping[str, Any]) -> Iterable[Any]:
    """As `user_id` in the path."""
    return [given.get("user_id")]


def in_body(request: Any, given: Mapping[str, Any]) -> Iterable[Any]:
    """As `user_id` in the body."""
    body = _body(request)
    return [body.get("user_id") if isinstance(body, Mapping) else None]


def in_events(request: Any, given: Mapping[str, Any]) -> Iterable[Any]:
    """As `user_id` of each of the body's `events`."""
    body = _body(request)
    rows = body.get("events") if isinstance(body, Mapping) else None
    if not isinstance(rows, list) or not rows:
        return [None]
    return [row.get("user_id") if isinstance(row, Mapping) else None for row in rows]


def refusal(principal: Principal, request: Any, view: Any) -> str:
    """Why the caller may not do this; empty where it may, and for every token that is not a browser's."""
    if not principal.user_id:
        return ""
    if request.META.get("HTTP_ORIGIN", "") != principal.origin:
        return "The token is for pages of another origin."
    method = "GET" if request.method == "HEAD" else request.method
    named: People | None = getattr(view, "person", {}).get(method)
    if named is None:
        return "The token is for a person's own recommendations and events."
    if any(each != principal.user_id for each in named(request, view.kwargs)):
        return "The token is for another person."
    return ""


def cost(principal: Principal, request: Any, view: Any) -> int:
    """What a write counts as: one, and with a browser's token one more for each ten rows beyond the first."""
    named: People | None = getattr(view, "person", {}).get(request.method)
    if not principal.user_id or named is None:
        return 1
    return 1 + (sum(1 for _ in named(request, view.kwargs)) - 1) // ROWS_OF_UNIT


def _body(request: Any) -> Any:
    _ = request.body  # kept, for who needs its bytes afterwards
    return request.data
