"""The OpenAPI document of an idempotent write."""

import pytest
from drf_spectacular.generators import SchemaGenerator

from core.idempotency.keys import PATTERN
from tests.core.idempotency import views


@pytest.fixture(scope="module")
def effects_path():
    generator = SchemaGenerator(patterns=views.urlpatterns)
    return generator.get_schema(request=None, public=True)["paths"]["/effects"]


@pytest.mark.parametrize("method", ["post", "delete"])
class TestOperation:
    """`post` has extend_schema above the decorator, `delete` below it."""

    def test_is_marked(self, effects_path, method):
        assert effects_path[method]["x-idempotent-write"] is True
        assert effects_path[method]["operationId"] == f"effect_{method}"

    def test_takes_the_header(self, effects_path, method):
        (header,) = [each for each in effects_path[method]["parameters"] if each["name"] == "Idempotency-Key"]

        assert (header["in"], header["schema"]["pattern"]) == ("header", PATTERN)
        assert not header.get("required")

    @pytest.mark.parametrize("status", ["400", "409", "410", "422"])
    def test_can_be_refused(self, effects_path, method, status):
        response = effects_path[method]["responses"][status]

        assert response["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
        assert "Idempotency-Key" in response["description"]

    def test_keeps_what_the_operation_says_itself(self, effects_path, method):
        responses = effects_path[method]["responses"]

        assert {"post": "201", "delete": "204"}[method] in responses
        if method == "delete":
            assert responses["409"]["description"].startswith("The object's state does not allow this.")
            assert "404" in responses

    def test_says_how_a_replay_is_known(self, effects_path, method):
        success = effects_path[method]["responses"][{"post": "201", "delete": "204"}[method]]

        assert "Idempotent-Replayed" in success["headers"]
        assert "Retry-After" in effects_path[method]["responses"]["409"].get("headers", {})
