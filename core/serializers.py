"""Serializers that every API shares: strict input, and the form of a problem in the OpenAPI document."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

MAX_UNKNOWN = 20  # as many misspelt names are told in one answer


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a misspelt one must not be ignored in silence."""

    def to_internal_value(self, data: Any) -> Any:
        """DRF's own, after a look at the names."""
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))[:MAX_UNKNOWN]):
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {name: [serializers.ErrorDetail(f"Unknown field; known are {known}.", "unknown")] for name in unknown}
            )
        return super().to_internal_value(data)


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
    return {(status, "application/problem+json"): OpenApiResponse(Problem, _MEANING[status]) for status in statuses}


_MEANING = {
    400: "The request is malformed.",
    401: "No valid access token.",
    403: "The token lacks the scope.",
    404: "No such object in this tenant.",
    409: "The object's state does not allow this.",
    412: "If-Match names another version.",
    413: "The body is larger than 5 MiB.",
    415: "The body is not JSON.",
    422: "The request breaks the contract; `errors` say where.",
    429: "Too many requests; Retry-After says when.",
    503: "Temporarily unavailable; Retry-After says when.",
}
READ_PROBLEMS = problems(401, 403, 404, 422, 503)
WRITE_PROBLEMS = problems(400, 401, 403, 404, 409, 412, 413, 415, 422, 503)
