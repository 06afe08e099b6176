"""The OpenAPI document as this code makes it, and a walk over its operations."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    path: str
    spec: dict[str, Any]

    def __str__(self) -> str:
        return self.id


@cache
def document() -> dict[str, Any]:
    """The document, with its references as they stand."""
    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return generated


@cache
def text() -> str:
    """The document as `make openapi` writes it."""
    rendered: bytes = OpenApiYamlRenderer().render(document(), renderer_context={})
    return rendered.decode()


def operations(of: dict[str, Any] | None = None) -> Iterator[Operation]:
    """Every operation of a document, of ours unless another is given."""
    for path, item in (of or document())["paths"].items():
        for method in METHODS:
            if method in item:
                yield Operation(item[method]["operationId"], method, path, item[method])
