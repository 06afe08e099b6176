"""Serializers shared by all APIs: strict input, and the schema of a problem."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema_field
from rest_framework import serializers

from core import external_ids

MAX_UNKNOWN = 20  # unknown names reported in one response
ID = {
    "type": "string",
    "minLength": 1,
    "maxLength": external_ids.MAX_LENGTH,
    "pattern": external_ids.PATTERN,
    "description": external_ids.DESCRIPTION,
}


@extend_schema_field(ID)
class ExternalId(serializers.CharField):
    """The tenant's own id of an item or a user, unchanged: nothing is trimmed."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """DRF's own, after a look at the characters."""
        if isinstance(data, str) and (error := external_ids.find_error(data, "")):
            raise serializers.ValidationError(error.detail, error.code)
        return super().run_validation(data)


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown fields: a misspelt one must not be ignored silently."""

    def to_internal_value(self, data: Any) -> Any:
        """DRF's own, after a look at the names."""
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))[:MAX_UNKNOWN]):
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {name: [serializers.ErrorDetail(f"Unknown field; known are {known}.", "unknown")] for name in unknown}
            )
        return super().to_internal_value(data)


class StrictBody(StrictSerializer):
    """A JSON body: besides its names, its types are as documented. DRF alone would take 5 for "5", and "true" for true.

    Queries and forms are StrictSerializer's: their values are all strings.
    """

    def to_internal_value(self, data: Any) -> Any:
        """DRF's own, after a look at names and types."""
        if isinstance(data, dict):
            wrong = {
                name: found
                for name, field in self.fields.items()
                if name in data and (found := _wrong_type(field, data[name]))
            }
            if wrong:
                raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)


# What JSON has for each kind of field; the first that fits counts.
_JSON_TYPES: tuple[tuple[type, tuple[type, ...], str], ...] = (
    (serializers.BooleanField, (bool,), "true or false"),
    (serializers.IntegerField, (int, float), "a number"),
    (serializers.FloatField, (int, float), "a number"),
    (serializers.CharField, (str,), "a string"),
    (serializers.ChoiceField, (str,), "a string"),
    (serializers.DateTimeField, (str,), "a string"),
)


def _wrong_type(field: Any, value: Any) -> Any:
    """Returns the error for a value of another type, in DRF's form, else None. Null is left to DRF."""
    if value is None:
        return None
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        if isinstance(field.child, serializers.CharField) and set(map(type, value)) == {str}:
            return None  # the usual list of ids, without a look at each
        return {index: found for index, entry in enumerate(value) if (found := _wrong_type(field.child, entry))} or None
    for kind, types, told in _JSON_TYPES:
        if isinstance(field, kind):
            fits = isinstance(value, types) and (not isinstance(value, bool) or bool in types)
            return None if fits else [serializers.ErrorDetail(f"Must be {told}.", "wrong_type")]
    return None


class FieldErrorSerializer(serializers.Serializer[Any]):
    """One thing wrong with the input."""

    pointer = serializers.CharField(help_text="JSON pointer (RFC 6901) to the field")
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]  # RFC 9457 practice names it


def problems(*statuses: int) -> dict[Any, OpenApiResponse]:
    """The problem responses of an operation, for `extend_schema(responses=...)`."""
    return {(status, "application/problem+json"): OpenApiResponse(Problem, MEANING[status]) for status in statuses}


MEANING = {
    400: "The request is malformed.",
    401: "No valid access token.",
    403: "The token lacks the scope.",
    404: "No such object in this tenant.",
    409: "The object's state does not allow this.",
    412: "If-Match names another version.",
    413: "The body exceeds the operation's limits of size or values.",
    414: "The address is longer than 8,190 bytes.",
    415: "The body is not JSON in UTF-8, plain or as gzip.",
    422: "The request is invalid; `errors` lists the details.",
    429: "Too many requests; Retry-After says when.",
    500: "An unexpected error; it was logged under the request id.",
    503: "Temporarily unavailable; Retry-After says when.",
}
READ_PROBLEMS = problems(401, 403, 404, 422, 503)
WRITE_PROBLEMS = problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 503)
