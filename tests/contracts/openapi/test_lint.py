"""Two linters that people use have nothing to say of the OpenAPI document, not even a hint."""

import copy
import json

import pytest
import yaml

from tests.contracts import document, tools

pytestmark = [pytest.mark.slow, tools.needs_node]


@pytest.fixture(scope="module", params=["as it is", "without a summary"])
def written(request, tmp_path_factory):
    """The document in a file, and whether it is one that has to be found fault with: the proof that linters look."""
    told = copy.deepcopy(document.document())
    if request.param != "as it is":
        told["paths"]["/api/v1/items"]["get"].pop("summary")
        told["paths"]["/api/v1/items"]["get"]["tags"] = ["unheard-of"]
    path = tmp_path_factory.mktemp("document") / "openapi.yaml"
    path.write_text(yaml.safe_dump(told, sort_keys=False))
    return path, request.param == "as it is"


def test_redocly_finds_nothing(written):
    path, clean = written
    config = path.with_name("redocly.yaml")
    config.write_text("extends: [recommended]\n")

    if clean:
        told = tools.node("redocly", "lint", path, "--config", config, "--format", "json")
        assert json.loads(told)["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}
    else:
        with pytest.raises(AssertionError, match="operation-summary"):
            tools.node("redocly", "lint", path, "--config", config, "--format", "json")


def test_spectral_finds_nothing(written):
    path, clean = written
    rules = path.with_name("spectral.yaml")
    rules.write_text('extends: ["spectral:oas"]\n')
    command = ("spectral", "lint", path, "--ruleset", rules, "--fail-severity", "hint", "--format", "json")

    if clean:
        assert tools.node(*command).startswith("[]")
    else:
        with pytest.raises(AssertionError, match="operation-tag-defined"):
            tools.node(*command)
