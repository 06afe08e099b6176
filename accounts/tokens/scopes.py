"""Scopes: what each operation demands of the caller's token."""

from typing import Any

from rest_framework.permissions import BasePermission

from accounts.tokens import browser_tokens

OFFLINE_ACCESS = "offline_access"
TOKENS_ISSUE = "tokens:issue"
SCOPES = {
    "catalog:read": "Read items and people",
    "catalog:write": "Create, change and delete items and people",
    "events:read": "Read events",
    "events:write": "Send events",
    "recommendations:read": "Read recommendations",
    "insights:read": "Read what came of recommendations",
    "usage:read": "Read what is used and left of the plan",
    "privacy:read": "Export everything held about a person",
    "privacy:write": "Erase a person, or merge one into another",
    TOKENS_ISSUE: "Issue tokens for people's browsers",
    OFFLINE_ACCESS: "Get refresh tokens, when asked for",
}


def needed_scope(view: Any, method: str) -> str | None:
    """The scope that the view demands for the method; None for a method that it does not have."""
    scope: str | dict[str, str] | None = view.scope
    if isinstance(scope, dict):
        return scope.get("GET" if method == "HEAD" else method)
    return scope


class HasScope(BasePermission):
    """The view's `scope` (a word, or a mapping from method to word) must be in the token."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Refuses, and says why: a scope is missing, or it is beyond a person's browser.

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
        self.message = browser_tokens.refusal(request.user, request, view)
        return not self.message
