"""Scopes: what each operation demands of the caller's token."""

from typing import Any

from rest_framework.permissions import BasePermission

SCOPES = {
    "catalog:read": "Read items and people",
    "catalog:write": "Create, change and delete items and people",
    "events:read": "Read events",
    "events:write": "Send events",
    "recommendations:read": "Read recommendations",
    "privacy:write": "Erase a person",
}


class HasScope(BasePermission):
    """The view's `scope` (a word, or a mapping from method to word) must be in the token."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Refuses, and says which scope is missing."""
        needed = view.scope
        if isinstance(needed, dict):
            method = "GET" if request.method == "HEAD" else request.method
            if method not in needed:  # DRF asks for the permission first, and says 405 afterwards
                return bool(request.user)
            needed = needed[method]
        self.message = f"The token lacks the scope {needed}."
        return bool(request.user and request.user.may(needed))
