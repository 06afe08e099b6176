"""Scopes of access tokens, and the permission that checks them."""

from typing import Any

from rest_framework.permissions import BasePermission

from accounts.tokens import browser_permissions

OFFLINE_ACCESS = "offline_access"
TOKENS_ISSUE = "tokens:issue"
SCOPES = {
    "catalog:read": "Read items and users",
    "catalog:write": "Create, change and delete items and users",
    "events:read": "Read events",
    "events:write": "Send events",
    "recommendations:read": "Read recommendations",
    "insights:read": "Read results of recommendations",
    "usage:read": "Read usage and remaining limits of the plan",
    "privacy:read": "Export all data of a user",
    "privacy:write": "Erase users, or merge one into another",
    TOKENS_ISSUE: "Issue browser tokens for users",
    OFFLINE_ACCESS: "Get refresh tokens on request",
}


def needed_scope(view: Any, method: str) -> str | None:
    """Returns the scope that the view requires for the method; None for an unknown method."""
    scope: str | dict[str, str] | None = view.scope
    if isinstance(scope, dict):
        return scope.get("GET" if method == "HEAD" else method)
    return scope


class HasScope(BasePermission):
    """Requires the view's `scope` (one, or a mapping by method) in the token."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Refuses with a reason: a scope is missing, or the operation is closed to browser tokens.

        A method that does not exist is 405 afterwards, to all callers.
        """
        if not request.user:
            return False
        needed = needed_scope(view, request.method)
        self.message = f"The token lacks the scope {needed}."
        if needed is None:
            return True
        if not request.user.may(needed):
            return False
        self.message = browser_permissions.refusal_reason(request.user, request, view)
        return not self.message
