"""What each kind of caller may expect of each operation, from the OpenAPI document.

tests/contracts/test_isolation.py holds the running service to it, operation by operation.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import Resolver404, resolve
from drf_spectacular.generators import SchemaGenerator

from accounts.tokens import browser_tokens
from core.http.openapi import operations

OWNER, STRANGER, READER = "owner", "stranger", "read-only client"
BROWSER, ANONYMOUS = "browser token", "anonymous"
CALLERS = (OWNER, STRANGER, READER, BROWSER, ANONYMOUS)
OWN, OWN_OR_404, FORBIDDEN, UNAUTHENTICATED, PUBLIC = "own", "own or 404", "403", "401", "public"
OWN_PERSON = "own person"
_PARAMETER = re.compile(r"\{\w+\}")


@dataclass(frozen=True)
class Rule:
    """One operation: the scopes of which one is demanded, and what each caller gets."""

    operation: str
    method: str
    path: str
    scopes: tuple[str, ...]
    expected: dict[str, str]

    @property
    def public(self) -> bool:
        """Whether it asks for no token."""
        return self.expected[ANONYMOUS] == PUBLIC

    @classmethod
    def of(cls, operation: str, method: str, path: str, security: Sequence[dict[str, list[str]]]) -> "Rule":
        """From an operation's `security`, whose entries are alternatives."""
        scopes = tuple(scope for need in security for names in need.values() for scope in names)
        if not security:
            return cls(operation, method, path, scopes, dict.fromkeys(CALLERS, PUBLIC))
        reader = OWN if any(scope.endswith(":read") for scope in scopes) else FORBIDDEN
        browser = OWN_PERSON if _open_to_browsers(path, method) and browser_tokens.SCOPES & set(scopes) else FORBIDDEN
        expected = {
            OWNER: OWN,
            STRANGER: OWN_OR_404,
            READER: reader,
            BROWSER: browser,
            ANONYMOUS: UNAUTHENTICATED,
        }
        return cls(operation, method, path, scopes, expected)


def _open_to_browsers(path: str, method: str) -> bool:
    """Whether the view says where the person stands whom a browser's token is for (accounts.tokens.browser_tokens)."""
    try:
        view = resolve(_PARAMETER.sub("1", path)).func
    except Resolver404:
        return False
    return method.upper() in getattr(getattr(view, "cls", None), "person", {})


def matrix() -> Iterator[Rule]:
    """Every operation's rule."""
    document: dict[str, Any] = SchemaGenerator().get_schema(  # type: ignore[no-untyped-call]
        request=None, public=True
    )
    for path, method, operation in operations(document):
        yield Rule.of(operation["operationId"], method, path, operation.get("security", []))
