"""The OpenAPI document and its two pages."""

import io
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from accounts.tokens.scopes import SCOPES
from core.http import openapi_view

OPERATIONS = ("get", "put", "post", "patch", "delete")


@pytest.fixture(scope="module")
def document():
    return Client().get("/api/schema.json").json()


class TestServing:
    @pytest.mark.parametrize("path", ["/api/schema", "/api/schema.json"])
    def test_is_made_once_and_may_be_kept(self, path, monkeypatch):
        made = []
        original = SchemaGenerator.get_schema

        def counted(*given: Any, **more: Any) -> Any:
            made.append(1)
            return original(*given, **more)

        monkeypatch.setattr(SchemaGenerator, "get_schema", counted)
        openapi_view.clear()

        first, again = Client().get(path), Client().get(path)
        unchanged = Client().get(path, headers={"If-None-Match": f'"other", W/{first["ETag"]}'})

        assert len(made) == 1
        assert again.content == first.content
        assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", first["ETag"])
        assert {each["Cache-Control"] for each in (first, again, unchanged)} == {"public, max-age=300"}

    def test_is_read_only(self):
        assert Client().post("/api/schema").status_code == 405


class TestDocument:
    def test_is_valid_and_raises_no_warning(self, tmp_path):
        call_command(
            "spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "openapi.yaml"), stdout=io.StringIO()
        )

    @pytest.mark.parametrize(("path", "beginning"), [("/api/schema", b"openapi: 3.1"), ("/api/schema.json", b"{")])
    def test_comes_as_yaml_and_json(self, path, beginning):
        response = Client().get(path)

        assert response.status_code == 200
        assert response.content.startswith(beginning)

    def test_is_of_openapi_3_1(self, document):
        assert document["openapi"].startswith("3.1")

    def test_names_the_scope_of_every_operation(self, document):
        unscoped = {
            f"{method} {path}"
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method in OPERATIONS
            and not any(scope in SCOPES for need in operation.get("security", []) for scope in need.get("oauth2", []))
        }

        assert unscoped == {
            "post /api/v1/auth/token",
            "post /api/v1/auth/revoke",
            "get /.well-known/jwks.json",
            "get /.well-known/oauth-authorization-server",
        }

    def test_tells_the_limits_of_every_operation_with_a_token(self, document):
        limited = {"RateLimit", "RateLimit-Policy"}
        operations = [
            operation
            for item in document["paths"].values()
            for method, operation in item.items()
            if method in OPERATIONS and any("oauth2" in need for need in operation.get("security", []))
        ]

        assert len(operations) > 10
        for operation in operations:
            responses = operation["responses"]
            assert {"Retry-After", *limited} <= set(responses["429"]["headers"])
            assert "application/problem+json" in responses["429"]["content"]
            for status in set(responses) - {"401", "403"}:
                assert limited <= set(responses[status]["headers"]), (operation["operationId"], status)
            assert not limited & set(responses["401"].get("headers", {}))
        assert limited <= set(document["components"]["headers"])

    def test_the_token_endpoint_tells_its_refusals(self, document):
        responses = document["paths"]["/api/v1/auth/token"]["post"]["responses"]

        assert set(responses) >= {"200", "400", "401", "415", "429", "503"}
        assert "application/problem+json" in responses["401"]["content"]


class TestWhatPeopleType:
    @pytest.mark.parametrize("path", ["/api/", "/docs/"])
    def test_leads_to_the_documents(self, db, path):
        answer = Client().get(path)

        assert (answer.status_code, answer["Location"]) == (302, "/api/docs/")

    def test_the_icon_that_browsers_ask_for_is_there(self, db):
        answer = Client().get("/favicon.ico", follow=True)

        assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml")
        answer.close()

    def test_the_landing_page_leads_to_everything(self, db):
        text = Client().get("/").content.decode()
        links = re.findall(r'href="([^"]+)"', text)

        assert {"/api/docs/", "/api/redoc/", "/api/schema", "/problems/", "/healthz", "/readyz", "/admin/"} <= {*links}
        assert Client().get("/api/schema.json").json()["info"]["version"] in text


class TestPages:
    @pytest.mark.parametrize("path", ["/api/docs/", "/api/redoc/"])
    def test_load_everything_from_here(self, db, path):
        page = Client().get(path)
        text = page.content.decode()
        sources = re.findall(r"""<(?:script|link|img)[^>]+(?:src|href)=["']?([^"'\s>]+)""", text)

        assert page.status_code == 200
        assert page["Content-Type"].startswith("text/html")
        assert sources
        assert [source for source in sources if re.match(r"(?:https?:)?//", source)] == []
        assert "fonts.googleapis" not in text
        for source in sources:
            if not source.startswith("data:"):
                asset = Client().get(source)
                assert (asset.status_code, bool(b"".join(asset))) == (200, True), source
                asset.close()
