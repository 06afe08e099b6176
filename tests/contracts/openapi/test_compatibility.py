"""No change takes anything away from the clients of the contract in `baseline.yaml`.

What is added is free, but for values of enums in answers. The baseline is the document of the last release, replaced
at the next one: `cp docs/api/openapi.yaml tests/contracts/openapi/baseline.yaml`, and INTENDED is empty again. What has
to go before that is listed there, each with words of its line in the changelog.
"""

import copy
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contracts import document
from tests.contracts.openapi.compatibility import breaks

BASELINE = Path(__file__).with_name("baseline.yaml")
CHANGELOG = Path(__file__).resolve().parents[3] / "CHANGELOG.md"
_ONE_BODY = "One request body per operation in the OpenAPI document"
_GROWING = "`source`, `degraded` and an import's `format` are strings in the OpenAPI document"
_ANY_TEXT = "may be any text of 1 to 128 characters"
INTENDED = {
    r"post /api/v1/auth/end-user-token body/user_id: maxLength is 128, it was none": _ANY_TEXT,
    r"post /api/v1/auth/(token|revoke) does not take application/json any more": _ONE_BODY,
    r"post /api/v1/imports does not take (text/csv|application/x-ndjson) any more": _ONE_BODY,
    r".* 200(/data/\*)?/(source|degraded) may be any word": _GROWING,
    r".*/api/v1/imports.* 202/format may be any word": _GROWING,
    r".*/api/v1/imports/.* 200/format may be any word": _GROWING,
}


@cache
def baseline() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.load(BASELINE.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return parsed


@cache
def found_breaks() -> list[str]:
    return breaks(baseline(), document.document())


def test_nothing_of_the_baseline_is_taken_away():
    found = [each for each in found_breaks() if not any(re.fullmatch(pattern, each) for pattern in INTENDED)]

    assert not found, (
        "Clients that were written against tests/contracts/openapi/baseline.yaml would break. Keep what they use (add "
        "beside it instead), or see this module's docstring: " + "; ".join(found)
    )


def test_what_is_intended_is_in_the_changelog():
    told = " ".join(CHANGELOG.read_text().split())

    assert [pattern for pattern in INTENDED if not any(re.fullmatch(pattern, each) for each in found_breaks())] == []
    assert [words for words in set(INTENDED.values()) if words not in told] == []


def _schema(name: str) -> Callable[[Any], Any]:
    return lambda told: told["components"]["schemas"][name]


CHANGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a field of an answer removed": (
        lambda told: _schema("Item")(told)["properties"].pop("title"),
        "/title is gone",
    ),
    "a field of a nested answer removed": (
        lambda told: _schema("RecommendedItem")(told)["properties"].pop("reason"),
        "/reason is gone",
    ),
    "a field of a body removed": (
        lambda told: _schema("ItemRequest")(told)["properties"].pop("title"),
        "/title is not taken any more",
    ),
    "a field of a body demanded": (
        lambda told: _schema("ItemRequest")(told).update(required=["title"]),
        "/title is demanded",
    ),
    "a bound lowered": (
        lambda told: _schema("ItemRequest")(told)["properties"]["title"].update(maxLength=10),
        "/title: maxLength is 10",
    ),
    "a field that may be missing now": (
        lambda told: _schema("Item")(told)["required"].remove("title"),
        "/title may be missing",
    ),
    "an enum narrowed": (lambda told: _schema("ImportStatus")(told)["enum"].remove("failed"), "not know ['failed']"),
    "an enum of an answer widened": (
        lambda told: _schema("ImportStatus")(told)["enum"].append("paused"),
        "may also be ['paused']",
    ),
    "an enum of an answer opened": (lambda told: _schema("ImportStatus")(told).pop("enum"), "may be any word"),
    "a type changed": (
        lambda told: _schema("Item")(told)["properties"]["hidden"].update(type="string"),
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
    schemas["Item"]["properties"]["shelf"] = {"type": "string"}
    schemas["ItemRequest"]["properties"]["shelf"] = {"type": "string"}
    schemas["GrantType"]["enum"].append("password")
    schemas["Recommendations"]["properties"]["source"]["x-extensible-enum"].append("oracle")
    changed["paths"]["/api/v1/shelves"] = {"get": {"operationId": "shelves", "responses": {}}}

    assert breaks(document.document(), changed) == []
