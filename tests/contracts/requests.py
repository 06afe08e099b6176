"""Requests derived from the OpenAPI document: the path's objects exist, the body is the document's example."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.contracts.conftest import Service
from tests.contracts.document import Operation, document, operations
from tests.core.web_process import Answer

FORM = "application/x-www-form-urlencoded"
SECRET = "zq-secret-of-acme"
NOBODY = "987654321"  # an id that is nobody's, in a form that every path takes


@dataclass(frozen=True)
class Sent:
    """A request without its caller."""

    method: str
    path: str
    body: bytes | None
    content_type: str

    def by(self, service: Service, token: str = "", **headers: str) -> Answer:
        """The answer to whoever holds the token."""
        more = {"Content-Type": self.content_type} if self.body is not None else {}
        return service.web.ask(self.method, self.path, token=token, body=self.body, **more, **headers)


@dataclass(frozen=True)
class Ids:
    """The ids that an operation's requests name."""

    item_id: str
    user_id: str

    @classmethod
    def of(cls, operation: Operation) -> "Ids":
        """Of its own for each operation, so that what one does is no other's surprise."""
        return cls(f"item-{operation.id}", f"user-{operation.id}")

    def put_into(self, value: Any) -> Any:
        """The value with these ids in the place of an example's."""
        if isinstance(value, list):
            return [self.put_into(each) for each in value]
        if not isinstance(value, dict):
            return value
        known = {"item_id": self.item_id, "user_id": self.user_id, "from": f"{self.user_id}-before"}
        told = {name: known.get(name, self.put_into(each)) for name, each in value.items() if name != "event_id"}
        lists = {"user_ids": [self.user_id], "item_ids": [self.item_id]}
        return told | {name: ids for name, ids in lists.items() if name in value}


def prepare(service: Service, token: str, ids: Ids) -> None:
    """Makes the objects, with a secret in everything that can hold text."""
    note = {"attributes": {"note": SECRET}}
    event = {"user_id": ids.user_id, "item_id": ids.item_id, "type": "view", "context": {"note": SECRET}}
    for method, path, body in (
        ("PUT", f"/items/{ids.item_id}", {"title": SECRET, "description": SECRET, "categories": [SECRET], **note}),
        ("PUT", f"/users/{ids.user_id}", {"segments": [SECRET], **note}),
        ("PUT", f"/users/{ids.user_id}-before", note),
        ("POST", "/events", event),
    ):
        sent = Sent(method, f"/api/v1{path}", json.dumps(body).encode(), "application/json")
        answer = sent.by(service, token)
        assert answer.status in {200, 201}, (path, answer.status, answer.body)


def request(operation: Operation, ids: Ids, made: dict[str, str]) -> Sent:
    """The operation's request about these objects. `made` are values of other parameters of paths."""
    values = {"item_id": ids.item_id, "user_id": ids.user_id, **made}
    path, query = operation.path, {}
    for parameter in operation.spec.get("parameters", []):
        name = parameter["name"]
        if parameter["in"] == "path":
            assert name in values, (
                f"{operation}: nothing is known to stand for {{{name}}} in {operation.path}. It is found by itself "
                f"where a POST to the path in front of it answers with {name}; else make one in made_for()."
            )
            path = path.replace(f"{{{name}}}", values[name])
        elif parameter.get("required") and parameter["in"] == "query":
            query[name] = _value(operation, parameter)
    body, content_type = _body(operation, ids)
    return Sent(operation.method.upper(), path + (f"?{urlencode(query)}" if query else ""), body, content_type)


def made_for(operation: Operation, service: Service, token: str, ids: Ids) -> dict[str, str]:
    """Makes the objects in the operation's path, except items and users, by a POST to the path in front of each."""
    made: dict[str, str] = {}
    for parameter in operation.spec.get("parameters", []):
        name = parameter["name"]
        if parameter["in"] != "path" or name in {"item_id", "user_id"}:
            continue
        parent = operation.path.partition(f"/{{{name}}}")[0]
        for maker in operations():
            if maker.method == "post" and maker.path == parent:
                answer = request(maker, ids, made).by(service, token)
                made[name] = str(answer.json().get(name, ""))
    return {name: value for name, value in made.items() if value}


def _value(operation: Operation, parameter: dict[str, Any]) -> Any:
    examples = [each["value"] for each in parameter.get("examples", {}).values()]
    found = [*examples, *parameter["schema"].get("enum", [])]
    assert found, f"{operation}: give the required parameter {parameter['name']} an example or an enum."
    return found[0]


def _body(operation: Operation, ids: Ids) -> tuple[bytes | None, str]:
    content = operation.spec.get("requestBody", {}).get("content", {})
    for kind, media in sorted(content.items(), key=lambda pair: pair[0] != "application/json"):
        for example in media.get("examples", {}).values():
            value = example["value"]
            if kind == "application/json":
                return json.dumps(ids.put_into(value)).encode(), kind
            return urlencode(value).encode() if kind == FORM else str(value).encode(), kind
    assert not content, (
        f"{operation}: its body has no example. Give extend_schema(examples=[OpenApiExample(..., request_only=True)])."
    )
    return None, ""


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of the document that a validator can read by itself."""
    return {**schema, "components": document()["components"]}
