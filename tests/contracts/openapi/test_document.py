"""The OpenAPI document that is committed is the one that the code makes."""

import difflib
from pathlib import Path

from tests.contracts import document

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "api" / "openapi.yaml"


def test_the_committed_document_is_the_generated_one():
    difference = "\n".join(
        difflib.unified_diff(
            COMMITTED.read_text().splitlines(), document.text().splitlines(), "committed", "generated", n=1, lineterm=""
        )
    )

    assert not difference, f"The API has changed. Run `make openapi`, look at the difference, commit it.\n{difference}"


def test_every_operation_has_an_id_of_its_own():
    ids = [operation.id for operation in document.operations()]

    assert len(ids) == len(set(ids))
