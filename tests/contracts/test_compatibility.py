"""No change takes anything away from the clients of the contract in `baseline.yaml`.

What is added is free. The baseline is the document of the last release; at a release, and where something has to go
after it was announced, `cp docs/api/openapi.yaml tests/contracts/baseline.yaml` and a line in the changelog say so.
"""

import copy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contracts import document
from tests.contracts.compatibility import breaks

BASELINE = Path(__file__).with_name("baseline.yaml")


@cache
def baseline() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.load(BASELINE.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return parsed


def test_nothing_of_the_baseline_is_taken_away():
    found = breaks(baseline(), document.document())

    assert not found, (
        "Clients that were written against tests/contracts/baseline.yaml would break. Keep what they use (add beside "
        "it instead), or see this module's docstring: " + "; ".join(found)
    )


def _schema(name: str) -> Callable[[Any], Any]:
    return lambda told: told["components"]["schemas"][name]


CHANGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a field of an answer removed": (
        lambda told: _schema("ItemAnswer")(told)["properties"].pop("title"),
        "/title is gone",
    ),
    "a field of a nested answer removed": (
        lambda told: _schema("RecommendedItem")(told)["properties"].pop("reason"),
        "/reason is gone",
    ),
    "a field of a body removed": (
        lambda told: _schema("OneItemRequest")(told)["properties"].pop("title"),
        "/title is not taken any more",
    ),
    "a field of a body demanded": (
        lambda told: _schema("OneItemRequest")(told).update(required=["title"]),
        "/title is demanded",
    ),
    "a bound lowered": (
        lambda told: _schema("OneItemRequest")(told)["properties"]["title"].update(maxLength=10),
        "/title: maxLength is 10",
    ),
    "a field that may be missing now": (
        lambda told: _schema("ItemAnswer")(told)["required"].remove("title"),
        "/title may be missing",
    ),
    "an enum narrowed": (lambda told: _schema("SourceEnum")(told)["enum"].remove("model"), "does not know ['model']"),
    "a type changed": (
        lambda told: _schema("ItemAnswer")(told)["properties"]["hidden"].update(type="string"),
        "/hidden may be ['string']",
    ),
    "an operation removed": (lambda told: told["paths"]["/api/v1/items"].pop("get"), "get /api/v1/items is gone"),
    "an operation renamed": (
        lambda told: told["paths"]["/api/v1/items"]["get"].update(operationId="items"),
        "is called items",
    ),
    "a parameter removed": (
        lambda told: told["paths"]["/api/v1/items"]["get"].update(
            parameters=[
                each for each in told["paths"]["/api/v1/items"]["get"]["parameters"] if each["name"] != "category"
            ]
        ),
        "does not take the parameter category",
    ),
    "a parameter demanded": (
        lambda told: told["paths"]["/api/v1/items"]["get"]["parameters"].append(
            {"in": "query", "name": "shelf", "required": True, "schema": {"type": "string"}}
        ),
        "demands the parameter shelf",
    ),
    "a scope changed": (
        lambda told: told["paths"]["/api/v1/items"]["get"].update(security=[{"oauth2": ["catalog:write"]}]),
        "does not serve ['catalog:read']",
    ),
    "a status removed": (
        lambda told: told["paths"]["/api/v1/items/{item_id}"]["put"]["responses"].pop("201"),
        "does not answer 201",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_is_noticed(name):
    change, told = CHANGES[name]
    changed = copy.deepcopy(document.document())
    change(changed)

    found = breaks(document.document(), changed)

    assert any(told in each for each in found), found


def test_what_is_added_is_free():
    changed = copy.deepcopy(document.document())
    schemas = changed["components"]["schemas"]
    schemas["ItemAnswer"]["properties"]["shelf"] = {"type": "string"}
    schemas["OneItemRequest"]["properties"]["shelf"] = {"type": "string"}
    schemas["SourceEnum"]["enum"].append("oracle")
    changed["paths"]["/api/v1/shelves"] = {"get": {"operationId": "shelves", "responses": {}}}

    assert breaks(document.document(), changed) == []
