"""Serializers of similar users."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema_serializer
from rest_framework import serializers

from core.http import pagination
from recommendations.api.v1 import base, fields
from recommendations.api.v1.serializers.recommendations import Degraded, Source
from recommendations.cache.list_codec import HEAD, MAX_ITEMS

PARAMETERS = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": MAX_ITEMS, "default": HEAD}),
    OpenApiParameter("cursor", fields.CURSOR, description="`next` of the previous page; valid for half an hour."),
    *(each for each in base.PAGE_PARAMETERS if each.name not in {"limit", "cursor"}),
]


@extend_schema_serializer(component_name="RelatedUser")
class RelatedPerson(serializers.Serializer[Any]):
    """A similar user."""

    user_id = serializers.CharField()
    score = serializers.FloatField(help_text="Cosine of their histories: 1 is equal, 0 nothing in common")


@extend_schema_serializer(component_name="RelatedUsers")
class RelatedPeople(serializers.Serializer[Any]):
    """Similar users and the evidence for each."""

    user_id = serializers.CharField()
    source = Source(help_text="`model`, or `static` if there is no similar user")  # type: ignore[assignment]  # same
    degraded = Degraded(allow_null=True, help_text="`no_build`: no training has compared this user yet")
    generated_at = serializers.DateTimeField(allow_null=True, help_text="Time of the training that compared them")
    data = RelatedPerson(many=True)  # type: ignore[assignment]  # likewise
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page")


EXAMPLE = OpenApiExample(
    "Two users",
    value={
        "user_id": "42",
        "source": "model",
        "degraded": None,
        "generated_at": "2026-11-23T03:00:41Z",
        "data": [{"user_id": "317", "score": 0.4127}, {"user_id": "8", "score": 0.3301}],
        "next": None,
    },
    response_only=True,
)


def read_limit(raw: str | None) -> int:
    """The query's `limit`.

    Raises: InvalidInput.
    """
    if raw is None:
        return HEAD
    if not (raw.isascii() and raw.isdigit() and len(raw) <= len(str(MAX_ITEMS)) and 1 <= int(raw) <= MAX_ITEMS):
        raise pagination.invalid("/limit", "out_of_range", f"Must be a whole number from 1 to {MAX_ITEMS}.")
    return int(raw)
