"""Expected outcome of each operation for each kind of caller, from the OpenAPI document.

tests/contracts/service/test_isolation.py holds the running service to it, operation by operation.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import Resolver404, resolve
from drf_spectacular.generators import SchemaGenerator

from accounts.tokens import browser_permissions
from core.http.openapi import operations

OWNER, STRANGER, READER = "owner", "stranger", "read-only client"
BROWSER, ANONYMOUS = "browser token", "anonymous"
CALLERS = (OWNER, STRANGER, READER, BROWSER, ANONYMOUS)
OWN, OWN_OR_404, FORBIDDEN, UNAUTHENTICATED, PUBLIC = "own", "own or 404", "403", "401", "public"
OWN_PERSON = "own person"
_PARAMETER = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class Rule:
    """One operation: its scopes, one of which is required, and the expected outcome for each caller."""

    operation: str
    method: str
    path: str
    scopes: tuple[str, ...]
    expected: dict[str, str]

    @property
    def public(self) -> bool:
        """True if no token is needed."""
        return self.expected[ANONYMOUS] == PUBLIC

    @classmethod
    def from_operation(cls, operation: str, method: str, path: str, security: Sequence[dict[str, list[str]]]) -> "Rule":
        """Creates the rule from an operation's `security`, whose entries are alternatives."""
        scopes = tuple(scope for need in security for names in need.values() for scope in names)
        if not security:
            return cls(operation, method, path, scopes, dict.fromkeys(CALLERS, PUBLIC))
        reader = OWN if any(scope.endswith(":read") for scope in scopes) else FORBIDDEN
        allowed = _open_to_browsers(path, method) and browser_permissions.SCOPES & set(scopes)
        browser = OWN_PERSON if allowed else FORBIDDEN
        expected = {
            OWNER: OWN,
            STRANGER: OWN_OR_404,
            READER: reader,
            BROWSER: browser,
            ANONYMOUS: UNAUTHENTICATED,
        }
        return cls(operation, method, path, scopes, expected)


def _open_to_browsers(path: str, method: str) -> bool:
    """Returns true if the view declares `browser_users`, so that browser tokens may call it."""
    try:
        view = resolve(_PARAMETER.sub("1", path)).func
    except Resolver404:
        return False
    return method.upper() in getattr(getattr(view, "cls", None), "browser_users", {})


def matrix() -> Iterator[Rule]:
    """Yields the rule of every operation."""
    document: dict[str, Any] = SchemaGenerator().get_schema(  # type: ignore[no-untyped-call]
        request=None, public=True
    )
    for path, method, operation in operations(document):
        yield Rule.from_operation(operation["operationId"], method, path, operation.get("security", []))
