"""Every body of the OpenAPI document has an example, and every example keeps to its schema.

That what is shown as a request is taken, and what comes back has the documented shape, test_isolation.py finds out.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.contracts.document import Operation, document, operations
from tests.contracts.requests import resolved

STRUCTURED = {"application/json", "application/x-www-form-urlencoded"}


def bodies(operation: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the request body and the bodies of successful answers, each with a name of its place."""
    for media in operation.spec.get("requestBody", {}).get("content", {}).items():
        yield "the request", dict([media])
    for status, response in operation.spec["responses"].items():
        if status.startswith("2") and response.get("content"):
            yield f"the answer {status}", response["content"]


@pytest.mark.parametrize("operation", list(operations()), ids=str)
def test_every_body_has_an_example(operation):
    missing = [
        f"{where}, {kind}"
        for where, content in bodies(operation)
        for kind, media in content.items()
        if not media.get("examples")
    ]

    assert not missing, (
        f"{operation} shows no example of {missing}. Add OpenApiExample(..., request_only=True), or "
        "response_only=True, to the examples of its extend_schema."
    )


@pytest.mark.parametrize("operation", list(operations()), ids=str)
def test_every_example_keeps_to_its_schema(operation):
    for where, content in bodies(operation):
        examples = [
            (name, example["value"], media["schema"])
            for kind, media in content.items()
            if kind in STRUCTURED
            for name, example in media.get("examples", {}).items()
        ]
        for name, value, schema in examples:
            validator = Draft202012Validator(resolved(schema))
            wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
            assert not wrong, (where, name, wrong)


def test_the_problem_shown_keeps_to_its_schema():
    schema = document()["components"]["schemas"]["Problem"]

    (example,) = schema["examples"]

    Draft202012Validator(resolved(schema)).validate(example)
