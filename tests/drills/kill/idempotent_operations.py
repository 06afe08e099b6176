"""The idempotent writes of the OpenAPI document, each as a request made from what the document itself says of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from drf_spectacular.generators import SchemaGenerator

from core.idempotency.openapi import MARK

JSON = "application/json"
PATH_ID = {"item_id": "movie-1", "user_id": "42"}
# Names whose values are ids of objects that a write may need to be there.
_KINDS = {"item_id": "items", "user_id": "users", "from": "users"}


@dataclass(frozen=True)
class Operation:
    """A write: where it goes, what is sent, and which objects it speaks of."""

    name: str
    method: str
    path: str
    content_type: str
    body: bytes
    objects: frozenset[tuple[str, str]]

    @property
    def other_body(self) -> bytes:
        """Another request by a byte; whether it would be valid is not asked."""
        return self.body + b" " if self.body else b"{}"


def operations() -> list[Operation]:
    """Every operation that is marked, whoever added it. Its example, without what makes it harmless to repeat."""
    document = SchemaGenerator().get_schema(request=None, public=True)
    return [
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and operation.get(MARK)
    ]


def _operation(path: str, method: str, operation: dict[str, Any]) -> Operation:
    name = operation["operationId"]
    content_type, value = _example(name, operation.get("requestBody", {}).get("content", {}))
    used = {parameter: known for parameter, known in PATH_ID.items() if f"{{{parameter}}}" in path}
    value = _repeatable(value)
    body = b"" if value is None else value.encode() if isinstance(value, str) else json.dumps(value).encode()
    return Operation(
        name=name,
        method=method.upper(),
        path=path.format(**PATH_ID) + _query(name, operation.get("parameters", [])),
        content_type=content_type,
        body=body,
        objects=frozenset({(_KINDS[key], each) for key, each in used.items()} | set(_ids(value))),
    )


def _query(name: str, parameters: list[dict[str, Any]]) -> str:
    """Query string of the required parameters, each with its first documented value."""
    needed = [each for each in parameters if each["in"] == "query" and each.get("required")]
    given = {}
    for each in needed:
        values = [*each["schema"].get("enum", ()), *filter(None, [each.get("example")])]
        assert values, f"{name} needs {each['name']}, of which the OpenAPI document gives no value"
        given[each["name"]] = values[0]
    return f"?{urlencode(given)}" if given else ""


def _example(name: str, content: dict[str, Any]) -> tuple[str, Any]:
    for content_type, media in content.items():
        for example in media.get("examples", {}).values():
            return content_type, example["value"]
    assert not content, f"{name} has a body and no example in the OpenAPI document"
    return JSON, None


def _repeatable(value: Any) -> Any:
    """Without what names an event: a second run would store it again."""
    if isinstance(value, dict):
        return {key: _repeatable(each) for key, each in value.items() if key not in {"event_id", "occurred_at"}}
    return [_repeatable(each) for each in value] if isinstance(value, list) else value


def _ids(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key in _KINDS and isinstance(each, str):
                yield _KINDS[key], each
            else:
                yield from _ids(each)
    elif isinstance(value, list):
        for each in value:
            yield from _ids(each)
