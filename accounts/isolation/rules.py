"""What each kind of caller may expect of each operation, from the OpenAPI document.

tests/contracts/test_isolation.py holds the running service to it, operation by operation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from core.openapi import operations

OWNER, STRANGER, READER, ANONYMOUS = "owner", "stranger", "read-only client", "anonymous"
CALLERS = (OWNER, STRANGER, READER, ANONYMOUS)
OWN, OWN_OR_404, FORBIDDEN, UNAUTHENTICATED, PUBLIC = "own", "own or 404", "403", "401", "public"


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
        expected = {OWNER: OWN, STRANGER: OWN_OR_404, READER: reader, ANONYMOUS: UNAUTHENTICATED}
        return cls(operation, method, path, scopes, expected)


def matrix() -> Iterator[Rule]:
    """Every operation's rule."""
    document: dict[str, Any] = SchemaGenerator().get_schema(  # type: ignore[no-untyped-call]
        request=None, public=True
    )
    for path, method, operation in operations(document):
        yield Rule.of(operation["operationId"], method, path, operation.get("security", []))
