"""Properties of the OpenAPI document that generators and readers need; a new operation needs no change here."""

from typing import Any

import pytest

from tests.contracts.document import Operation, document, operations

OPERATIONS = list(operations())
SCHEMAS: dict[str, dict[str, Any]] = document()["components"]["schemas"]
# RFC 6749, section 3.2: unknown parameters of these requests are ignored.
OPEN = {"TokenRequest", "RevokeRequest"}


def nested(schema: Any) -> list[dict[str, Any]]:
    """A schema and all within it."""
    if isinstance(schema, list):
        return [found for each in schema for found in nested(each)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(found for each in schema.values() for found in nested(each))]


class TestOperations:
    @pytest.mark.parametrize("operation", OPERATIONS, ids=str)
    def test_have_a_summary_of_a_few_words_and_a_description(self, operation: Operation):
        summary = operation.spec.get("summary", "")

        assert 2 <= len(summary.split()) <= 9
        assert not summary.endswith(".")
        assert len(operation.spec["description"]) > len("The end user.") - 1

    def test_have_summaries_of_their_own(self):
        assert len({each.spec["summary"] for each in OPERATIONS}) == len(OPERATIONS)

    @pytest.mark.parametrize("operation", OPERATIONS, ids=str)
    def test_take_one_form_of_body(self, operation: Operation):
        assert len(operation.spec.get("requestBody", {}).get("content", {})) <= 1

    @pytest.mark.parametrize("operation", OPERATIONS, ids=str)
    def test_describe_each_status_and_tag_a_version_only_where_there_is_one(self, operation: Operation):
        for status, response in operation.spec["responses"].items():
            assert response["description"], status
            assert "ETag" not in response["headers"] or status[0] == "2" or status == "304"

    @pytest.mark.parametrize("operation", OPERATIONS, ids=str)
    def test_say_whether_they_need_a_token(self, operation: Operation):
        assert "security" in operation.spec

    def test_begin_with_what_the_service_is_for(self):
        assert OPERATIONS[0].id == "user_recommendations"
        assert document()["tags"][0]["name"] == "recommendations"
        assert {tag for each in OPERATIONS for tag in each.spec["tags"]} == {tag["name"] for tag in document()["tags"]}
        assert all(tag["description"] for tag in document()["tags"])


class TestSchemas:
    @pytest.mark.parametrize("name", SCHEMAS)
    def test_are_closed_or_maps(self, name: str):
        for schema in nested(SCHEMAS[name]):
            if schema.get("type") == "object" and name not in OPEN:
                assert "additionalProperties" in schema
                assert not ("properties" in schema and schema["additionalProperties"] is not False)

    @pytest.mark.parametrize("name", SCHEMAS)
    def test_leave_no_choice_between_objects(self, name: str):
        """Two objects that share fields both fit: generated clients take the wrong one, or refuse."""
        for schema in nested(SCHEMAS[name]):
            choices = [*schema.get("oneOf", []), *schema.get("anyOf", [])]
            assert len([each for each in choices if "$ref" in each or each.get("type") == "object"]) <= 1

    @pytest.mark.parametrize("name", SCHEMAS)
    def test_give_each_choice_of_types_a_name(self, name: str):
        """Else generators make a class of it that is called after where it stands, one for each place."""
        for schema in nested(SCHEMAS[name]):
            choices = [*schema.get("oneOf", []), *schema.get("anyOf", [])]
            named = [each for each in choices if each.get("type") != "null"]
            assert len(named) <= 1 or schema is SCHEMAS[name], schema

    def test_have_names_that_say_what_they_are(self):
        assert [
            name
            for name in SCHEMAS
            if "RequestRequest" in name or (name.endswith("Answer") and not name.startswith("Exported"))
        ] == []

    def test_of_attributes_have_one_name_for_users_items_and_events(self):
        values = {id(schema): schema for name in ("Item", "EndUser", "Event") for schema in nested(SCHEMAS[name])}

        assert [each for each in values.values() if each.get("$ref") == "#/components/schemas/Attributes"]
        assert not [
            each
            for each in values.values()
            if "$ref" not in each and "additionalProperties" in each and "properties" not in each
        ]
        assert SCHEMAS["Attributes"]["additionalProperties"] == {"$ref": "#/components/schemas/AttributeValue"}

    def test_of_words_that_may_grow_are_no_enums(self):
        for name in ("source", "degraded"):
            schema = SCHEMAS["Recommendations"]["properties"][name]
            assert "enum" not in schema
            assert schema["x-extensible-enum"]


class TestInformation:
    def test_introduces_the_service_and_says_how_to_begin(self):
        told = document()["info"]

        assert {"title", "version", "license", "contact", "description"} <= told.keys()
        assert [step for step in ("1. **", "2. **", "3. **") if step not in told["description"]] == []
        assert "grant_type=client_credentials" in told["description"]
        assert document()["servers"] == [{"url": "/", "description": document()["servers"][0]["description"]}]
