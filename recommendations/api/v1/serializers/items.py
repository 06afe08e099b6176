"""Serializers of items: for the OpenAPI document, and from a row to its answer."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from recommendations.api.v1 import fields
from recommendations.api.v1.base import stamp
from recommendations.catalog.models import Item


class ItemFields(serializers.Serializer[Any]):
    """Writable fields; omitted fields are cleared (PUT) or stay (PATCH)."""

    title = fields.text(500)
    description = fields.text(20_000)
    categories = fields.words()
    attributes = fields.SentObject(
        required=False,
        allow_null=True,
        help_text="Entries that are null or too long are omitted; the others are stored",
    )
    hidden = serializers.BooleanField(required=False, allow_null=True, help_text="Excluded from all answers while true")
    available_from = serializers.DateTimeField(required=False, allow_null=True)
    available_until = serializers.DateTimeField(required=False, allow_null=True, help_text="After available_from")
    created_at = fields.stamp_of_the_server()
    updated_at = fields.stamp_of_the_server()


@extend_schema_serializer(component_name="Item")
class OneItem(ItemFields):
    """An item whose id is in the path."""

    item_id = fields.ExternalId(required=False, help_text="The same as in the path")


class ItemRow(ItemFields):
    """An item of a batch."""

    item_id = fields.ExternalId()


@extend_schema_serializer(component_name="Item")
class ItemAnswer(serializers.Serializer[Any]):
    """An item in responses; it may be sent back unchanged."""

    item_id = fields.ExternalId()
    title = serializers.CharField()
    description = serializers.CharField()
    categories = serializers.ListField(child=serializers.CharField())
    attributes = fields.FlatObject()
    hidden = serializers.BooleanField()
    available_from = serializers.DateTimeField(allow_null=True)
    available_until = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ItemPage(serializers.Serializer[Any]):
    """A page of items."""

    data = ItemAnswer(many=True)  # type: ignore[assignment]  # the contract names it
    next = serializers.CharField(allow_null=True)


def item_body(item: Item) -> dict[str, Any]:
    """An item as the API shows it."""
    return {
        "item_id": item.item_id,
        "title": item.title,
        "description": item.description,
        "categories": item.categories,
        "attributes": item.attributes,
        "hidden": item.hidden,
        "available_from": stamp(item.available_from),
        "available_until": stamp(item.available_until),
        "created_at": stamp(item.created_at),
        "updated_at": stamp(item.updated_at),
    }


WRITTEN = {
    "title": "Toy Story (1995)",
    "description": "",
    "categories": ["Animation", "Children"],
    "attributes": {"year": 1995, "subtitles": ["en", "de"]},
    "hidden": False,
    "available_from": None,
    "available_until": "2027-01-01T00:00:00Z",
}
READ = {
    "item_id": "movie-1",
    **WRITTEN,
    "created_at": "2026-11-23T08:30:00.250000Z",
    "updated_at": "2026-11-23T08:30:00.250000Z",
}
WRITE_EXAMPLE = OpenApiExample("A film", value=WRITTEN, request_only=True)
PATCH_EXAMPLE = OpenApiExample("Hide it", value={"hidden": True}, request_only=True)
READ_EXAMPLE = OpenApiExample("A film", value=READ, response_only=True, status_codes=["200", "201"])
PAGE_EXAMPLE = OpenApiExample("The last page", value={"data": [READ], "next": None}, response_only=True)
