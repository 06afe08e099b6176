"""Whatever stands in place of a body's member, and whoever sends it: it is refused or taken, never our error."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from tests.accounts.api.test_end_user_token import ORIGIN, issue
from tests.contracts.document import Operation, operations
from tests.size import slow

# `make test` sends those of FEW, `make slow` all.
FEW: tuple[Any, ...] = (None, 10**400, "\x00", [[]])
WRONG: tuple[Any, ...] = (*FEW, True, 5, -1.5, "", "x", [], [5], {}, {"a": {}})


def _examples() -> list[tuple[Operation, Any]]:
    """Each operation that takes JSON, with an example of its body."""
    found = []
    for operation in operations():
        media = operation.spec.get("requestBody", {}).get("content", {}).get("application/json")
        if media:
            found.append((operation, next(iter(media["examples"].values()))["value"]))
    return found


def _changed(value: Any, wrong: tuple[Any, ...]) -> Iterator[Any]:
    """The value with each wrong one in its own place, and in that of each of its parts."""
    yield from wrong
    parts = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for name, part in parts:
        for other in _changed(part, wrong):
            told = copy.copy(value)
            told[name] = other
            yield told


def test_every_body_is_walked():
    assert {operation.id for operation, _ in _examples()} >= {
        "event_send", "events_batch", "items_batch", "users_batch", "item_put", "user_patch", "user_merge",
        "recommendations_batch", "recommendations_session", "auth_end_user_token",
    }  # fmt: skip


@pytest.mark.parametrize("wrong", [FEW, *slow(WRONG)], ids=["few", "all"])
@pytest.mark.parametrize("who", ["client", *slow("browser")])
@pytest.mark.parametrize(("operation", "example"), _examples(), ids=lambda value: getattr(value, "id", ""))
def test_a_body_of_wrong_types_is_never_our_error(cast, operation, example, who, wrong, settings):
    settings.ADDRESS_RATES = {**settings.ADDRESS_RATES, "token": "1000000/m"}
    http = Client(raise_request_exception=False)
    headers = {
        "client": {"Authorization": f"Bearer {cast.acme.admin.token}"},
        "browser": {"Authorization": f"Bearer {issue(cast.acme, '42')}", "Origin": ORIGIN},
    }[who]
    path = operation.path.replace("{item_id}", "i").replace("{user_id}", "42")
    for body in _changed(example, wrong):
        answer = http.generic(operation.method.upper(), path, json.dumps(body), "application/json", headers=headers)
        assert answer.status_code < 500, (body, answer.content)
