"""A case for each idempotent write: what is sent, what else could be sent, and what happens in between."""

from dataclasses import dataclass, field
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from core.idempotency.openapi import MARK

API = "/api/v1"
Body = dict[str, Any] | str | None


@dataclass(frozen=True)
class Send:
    """One request; without a body there is none, and a text is a CSV file."""

    method: str
    path: str
    body: Body = None

    def by(self, http: APIClient, **headers: str) -> Any:
        """The answer to it."""
        kind = {"content_type": "text/csv"} if isinstance(self.body, str) else {"format": "json"}
        return getattr(http, self.method)(API + self.path, self.body, headers=headers, **kind)


@dataclass(frozen=True)
class Case:
    """`operation` is the request under test. `meanwhile` is one that a second run of it would visibly undo or add to.

    None of the requests is harmless to repeat: a second run changes rows, or is answered differently.
    """

    request: Send
    status: int
    other_body: Body
    meanwhile: Send
    before: tuple[Send, ...] = field(default=())


# Neither an id nor a time: such an event is a new one each time it is sent.
EVENT = {"user_id": "u", "item_id": "i", "type": "view"}
OTHER_EVENT = {**EVENT, "type": "like"}
ITEM, ITEM_BEFORE = {"title": "New", "hidden": True}, Send("put", "/items/i", {"title": "Old"})
USER, USER_BEFORE = {"locale": "de-AT", "segments": ["a"]}, Send("put", "/users/u", {"locale": "en"})

CASES = {
    "item_put": Case(Send("put", "/items/i", ITEM), 201, {"title": "Other"}, ITEM_BEFORE),
    "item_patch": Case(Send("patch", "/items/i", ITEM), 200, {"title": "Other"}, ITEM_BEFORE, before=(ITEM_BEFORE,)),
    "item_delete": Case(Send("delete", "/items/i"), 204, {"a": 1}, ITEM_BEFORE, before=(ITEM_BEFORE,)),
    "items_batch": Case(
        Send("post", "/items/batch", {"items": [{"item_id": "i", **ITEM}, {"item_id": "j"}, {}]}),
        200,
        {"items": []},
        ITEM_BEFORE,
    ),
    "user_put": Case(Send("put", "/users/u", USER), 201, {"locale": "fr"}, USER_BEFORE),
    "user_patch": Case(Send("patch", "/users/u", USER), 200, {"locale": "fr"}, USER_BEFORE, before=(USER_BEFORE,)),
    "user_erase": Case(
        Send("delete", "/users/u"),
        200,
        {"a": 1},
        Send("post", "/events", EVENT),
        before=(USER_BEFORE, Send("post", "/events", EVENT)),
    ),
    "user_merge": Case(
        Send("post", "/users/u/merge", {"from": "v"}),
        200,
        {"from": "w"},
        Send("post", "/events", {**EVENT, "user_id": "v"}),
        before=(USER_BEFORE, Send("post", "/events", {**EVENT, "user_id": "v"})),
    ),
    "users_batch": Case(
        Send("post", "/users/batch", {"users": [{"user_id": "u", **USER}, {"user_id": "v"}, {}]}),
        200,
        {"users": []},
        USER_BEFORE,
    ),
    "import_start": Case(
        Send("post", "/imports?kind=items", "item_id,title\ni,New\n"),
        202,
        "item_id,title\ni,Other\n",
        Send("post", "/imports?kind=items", "item_id,title\ni,Another\n"),
    ),
    "event_send": Case(Send("post", "/events", EVENT), 201, OTHER_EVENT, Send("post", "/events", OTHER_EVENT)),
    "events_batch": Case(
        Send("post", "/events/batch", {"events": [EVENT, OTHER_EVENT, {}]}),
        200,
        {"events": []},
        Send("post", "/events", EVENT),
    ),
}


def marked() -> dict[str, tuple[str, str]]:
    """The document's idempotent writes: method and path by the operation's id."""
    document = SchemaGenerator().get_schema(request=None, public=True)
    return {
        operation["operationId"]: (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and operation.get(MARK)
    }


def writes() -> set[str]:
    """The document's operations that write, whether they are marked or not: all but tokens, and what reads by POST.

    And but one that needs no key: whoever cancels twice has cancelled.
    """
    document = SchemaGenerator().get_schema(request=None, public=True)
    return {
        operation["operationId"]
        for methods in document["paths"].values()
        for method, operation in methods.items()
        if method in {"post", "put", "patch", "delete"} and not {"auth", "recommendations"} & set(operation["tags"])
        if operation["operationId"] != "import_cancel"
    }
