"""Completes every operation of the OpenAPI document in one place: a hook of drf-spectacular.

A view declares only what is specific to it. Derived here: closed objects, the errors that precede any view, the
request id, and links from a write to its reads and from a page to the next.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from core.http.problem import CONTENT_TYPE
from core.http.serializers import MEANING

METHODS = ("get", "put", "post", "patch", "delete")
REQUEST_ID = "X-Request-ID"
_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_PROBLEM_EXAMPLE = {
    "type": "/problems/not_found",
    "title": "Not found",
    "status": 404,
    "detail": "Unknown item.",
    "instance": "/api/v1/items/movie-2",
    "code": "not_found",
    "request_id": "3f0c9a7de81b4c52a6e0d917",
    "errors": [],
}
_REQUEST_ID = {
    "description": "Identifies this request in the log; the caller's own id, if it sent a valid one.",
    "schema": {"type": "string"},
    "required": True,
}


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Completes the document; the hook."""
    components = result.setdefault("components", {})
    components.setdefault("headers", {})[REQUEST_ID] = _REQUEST_ID
    if "Problem" in components.get("schemas", {}):
        components["schemas"]["Problem"]["examples"] = [_PROBLEM_EXAMPLE]
    for path, method, operation in operations(result):
        if operation.get("security"):
            for body in _bodies(operation):
                _close(body, components["schemas"])
        for answer in _answers(operation):
            _close(answer, components["schemas"])
        operation.setdefault("security", [])  # says that none is needed
        _demand_files(operation)
        _refusals(operation)
        if method == "get":
            _conditional(operation)
        for response in operation["responses"].values():
            response.setdefault("headers", {})[REQUEST_ID] = {"$ref": f"#/components/headers/{REQUEST_ID}"}
        _describe(operation)
        if method == "put":
            _link_to_readers(result, path, operation)
        _link_to_next(operation)
    _share_examples(result)
    _order(result)
    return result


def _share_examples(document: dict[str, Any]) -> None:
    """Copies examples between responses of the same schema."""
    answers = [
        media
        for _, _, operation in operations(document)
        for response in operation["responses"].values()
        for media in response.get("content", {}).values()
    ]
    known = {media["schema"].get("$ref"): media["examples"] for media in answers if media.get("examples")}

    for media in answers:
        if (reference := media["schema"].get("$ref")) in known:
            media.setdefault("examples", known[reference])


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields path, method and operation."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _demand_files(operation: dict[str, Any]) -> None:
    """Marks file bodies as required; drf-spectacular does so only for bodies with required fields."""
    body = operation.get("requestBody", {})
    if body and all("json" not in kind or "ndjson" in kind for kind in body["content"]) and operation.get("security"):
        body["required"] = True


def _bodies(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [media["schema"] for media in operation.get("requestBody", {}).get("content", {}).values()]


def _answers(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        media["schema"]
        for response in operation["responses"].values()
        for media in response.get("content", {}).values()
    ]


def _close(schema: Any, schemas: dict[str, Any]) -> None:
    """Closes each object with named fields: in a body others are errors, in a response there are none."""
    if isinstance(schema, list):
        for each in schema:
            _close(each, schemas)
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "properties" in schema:
        if "additionalProperties" in schema:
            return  # seen already, or said by hand
        schema["additionalProperties"] = False
    for name in ("properties", "$defs"):
        for each in schema.get(name, {}).values():
            _close(each, schemas)
    for name in ("items", "allOf", "anyOf", "oneOf"):
        _close(schema.get(name), schemas)


def _refusals(operation: dict[str, Any]) -> None:
    statuses = [500, 503]
    if any(each["in"] == "query" for each in operation.get("parameters", [])):
        statuses += [414]
    if operation.get("security"):
        statuses += [401, 403]
    if "requestBody" in operation:
        statuses += [400, 413, 415]
        statuses += [422] if operation.get("security") else []
    for status in statuses:
        operation["responses"].setdefault(
            str(status), {"description": MEANING[status], "content": {CONTENT_TYPE: {"schema": _PROBLEM}}}
        )
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _conditional(operation: dict[str, Any]) -> None:
    """Adds the ETag and the 304 to operations that take If-None-Match."""
    if not any(each["in"] == "header" and each["name"] == "If-None-Match" for each in operation.get("parameters", [])):
        return
    responses = operation["responses"]
    responses.setdefault("304", {"description": "Unchanged since the ETag in If-None-Match; no body."})
    for status in ("200", "304"):
        responses[status].setdefault("headers", {}).setdefault("ETag", {"schema": {"type": "string"}, "required": True})
    operation["responses"] = dict(sorted(responses.items()))


def _describe(operation: dict[str, Any]) -> None:
    """Describes a response by its HTTP phrase if it has no description, and removes ETags from errors."""
    for status, response in operation["responses"].items():
        response["description"] = response.get("description") or HTTPStatus(int(status)).phrase
        if not status.startswith("2") and status != "304":
            response.get("headers", {}).pop("ETag", None)


def _order(document: dict[str, Any]) -> None:
    """Sorts paths by their tags, otherwise in the order of the routes."""
    tags = [tag["name"] for tag in document.get("tags", [])]
    first = {path: min(_rank(each["tags"], tags) for each in item.values()) for path, item in document["paths"].items()}
    document["paths"] = dict(sorted(document["paths"].items(), key=lambda pair: first[pair[0]]))


def _rank(of: list[str], tags: list[str]) -> int:
    return min((tags.index(tag) for tag in of if tag in tags), default=len(tags))


def _link_to_readers(document: dict[str, Any], path: str, put: dict[str, Any]) -> None:
    """Links a PUT to the operations that read, change and delete the same object, and to those below it."""
    for other, method, target in operations(document):
        if (other == path or other.startswith(f"{path}/")) and method != "put":
            names = [each["name"] for each in put.get("parameters", []) if each["in"] == "path"]
            link = {
                "operationId": target["operationId"],
                "parameters": {f"path.{name}": f"$request.path.{name}" for name in names},
            }
            for status in set(put["responses"]) & {"200", "201"}:
                put["responses"][status].setdefault("links", {})[target["operationId"]] = link


def _link_to_next(operation: dict[str, Any]) -> None:
    """Links a page's `next` to the next page."""
    if not any(each["in"] == "query" and each["name"] == "cursor" for each in operation.get("parameters", [])):
        return
    operation["responses"]["200"].setdefault("links", {})["next"] = {
        "operationId": operation["operationId"],
        "parameters": {"query.cursor": "$response.body#/next"},
    }
