"""Problem documents, by what raised them."""

import pytest
from django.db import InterfaceError, OperationalError
from django.http import Http404
from psycopg_pool import PoolTimeout
from rest_framework import exceptions, serializers

from core import errors
from core.http.problem import field_errors, handle, printable
from core.http.serializers import StrictSerializer


def handled(error):
    """The answer of DRF's handler, which must have one."""
    response = handle(error, {})
    assert response is not None
    return response


class TestServiceErrors:
    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (errors.InvalidInput("x"), 422, "invalid"),
            (errors.NotFound(), 404, "not_found"),
            (errors.Conflict(), 409, "conflict"),
            (errors.PreconditionFailed(), 412, "precondition_failed"),
            (errors.Unavailable(), 503, "unavailable"),
            (Http404(), 404, "not_found"),
            (exceptions.NotAuthenticated(), 401, "unauthenticated"),
            (exceptions.PermissionDenied(), 403, "forbidden"),
            (exceptions.Throttled(wait=2.2), 429, "rate_limited"),
            (exceptions.ParseError(), 400, "bad_json"),
            (OperationalError("server closed the connection"), 503, "unavailable"),
            (InterfaceError("connection already closed"), 503, "unavailable"),
            (PoolTimeout("couldn't get a connection"), 503, "unavailable"),
        ],
    )
    def test_each_has_its_status_and_code(self, error, status, code):
        response = handled(error)

        assert (response.status_code, response.data["code"]) == (status, code)
        assert response.headers["Cache-Control"] == "no-store"

    def test_what_comes_back_says_when(self):
        assert handled(errors.Unavailable()).headers["Retry-After"] == "2"
        assert handled(exceptions.Throttled(wait=2.2)).headers["Retry-After"] == "3"

    def test_an_outage_tells_no_address(self):
        response = handled(OperationalError('connection to server at "10.0.0.7", port 5432 failed'))

        assert "10.0.0.7" not in str(response.data)

    def test_what_nobody_foresaw_is_left_to_the_500_handler(self):
        assert handle(ZeroDivisionError(), {}) is None


class Row(StrictSerializer):
    """A nested row."""

    id = serializers.CharField(max_length=3)


class Body(StrictSerializer):
    """A body with every kind of nesting."""

    name = serializers.CharField()
    rows = Row(many=True)
    words = serializers.ListField(child=serializers.CharField(max_length=2))


class TestPointers:
    def test_lead_to_each_field(self):
        body = Body(data={"rows": [{"id": "ok"}, {"id": "long"}, {}], "words": ["ab", "abc"], "a/b~c": 1})
        assert not body.is_valid()
        unknown = {(error.pointer, error.code) for error in field_errors(body.errors)}
        body = Body(data={"rows": [{"id": "ok"}, {"id": "long"}, {}], "words": ["ab", "abc"]})
        assert not body.is_valid()
        found = {(error.pointer, error.code) for error in field_errors(body.errors)}

        assert unknown == {("/a~1b~0c", "unknown")}
        assert found == {
            ("/name", "required"),
            ("/rows/1/id", "max_length"),
            ("/rows/2/id", "required"),
            ("/words/1", "max_length"),
        }

    def test_an_error_of_the_whole_body_points_at_it(self):
        body = Body(data=[])
        assert not body.is_valid()

        assert [error.pointer for error in field_errors(body.errors)] == [""]


class TestPrintable:
    def test_shortens_what_is_long(self):
        assert len(printable("x" * 10_000)) == 500

    def test_spells_out_what_utf8_cannot_carry(self):
        assert printable("a\ud800ü") == "a\\ud800ü"
