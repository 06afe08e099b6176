"""Serializers of end users: for the OpenAPI document, and from a row to its answer."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from recommendations.api.v1 import fields
from recommendations.api.v1.base import stamp
from recommendations.catalog.models import EndUser
from recommendations.privacy.erase import Receipt


class EndUserFields(serializers.Serializer[Any]):
    """Writable fields; omitted fields are cleared (PUT) or stay (PATCH)."""

    attributes = fields.SentObject(
        required=False,
        allow_null=True,
        help_text="Entries that are null or too long are omitted; the others are stored",
    )
    segments = fields.words()
    locale = fields.LanguageTag(required=False, allow_null=True)
    created_at = fields.stamp_of_the_server()
    updated_at = fields.stamp_of_the_server()


@extend_schema_serializer(component_name="EndUser")
class OneEndUser(EndUserFields):
    """A user whose id is in the path."""

    user_id = fields.ExternalId(required=False, help_text="The same as in the path")


class EndUserRow(EndUserFields):
    """A user of a batch."""

    user_id = fields.ExternalId()


@extend_schema_serializer(component_name="EndUser")
class EndUserAnswer(serializers.Serializer[Any]):
    """A user in responses; it may be sent back unchanged."""

    user_id = fields.ExternalId()
    attributes = fields.FlatObject()
    segments = serializers.ListField(child=serializers.CharField())
    locale = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class EndUserPage(serializers.Serializer[Any]):
    """A page of users."""

    data = EndUserAnswer(many=True)  # type: ignore[assignment]  # the contract names it
    next = serializers.CharField(allow_null=True)


class ErasureReceipt(serializers.Serializer[Any]):
    """Receipt of an erasure: erased rows and time, without the user's id."""

    receipt_id = serializers.UUIDField(help_text="Id of the erasure in the tenant's log")
    erased_at = serializers.DateTimeField()
    rows = serializers.DictField(child=serializers.IntegerField(), help_text="Erased rows by kind")


def end_user_body(end_user: EndUser) -> dict[str, Any]:
    """A user as the API shows them."""
    return {
        "user_id": end_user.user_id,
        "attributes": end_user.attributes,
        "segments": end_user.segments,
        "locale": end_user.locale,
        "created_at": stamp(end_user.created_at),
        "updated_at": stamp(end_user.updated_at),
    }


def receipt_body(receipt: Receipt) -> dict[str, Any]:
    """A receipt as the API gives it."""
    return {"receipt_id": str(receipt.number), "erased_at": stamp(receipt.erased_at), "rows": receipt.rows}


WRITTEN = {"attributes": {"plan": "family", "age": 34}, "segments": ["subscribers"], "locale": "de-AT"}
READ = {
    "user_id": "42",
    **WRITTEN,
    "created_at": "2026-11-23T08:30:00.250000Z",
    "updated_at": "2026-11-23T08:30:00.250000Z",
}
WRITE_EXAMPLE = OpenApiExample("A subscriber", value=WRITTEN, request_only=True)
PATCH_EXAMPLE = OpenApiExample("Another language", value={"locale": "fr"}, request_only=True)
READ_EXAMPLE = OpenApiExample("A subscriber", value=READ, response_only=True, status_codes=["200", "201"])
PAGE_EXAMPLE = OpenApiExample("The last page", value={"data": [READ], "next": None}, response_only=True)
RECEIPT_EXAMPLE = OpenApiExample(
    "A receipt",
    value={
        "receipt_id": "5b0f2a57-1f6e-4a55-9d1c-3f9a4c8f2a10",
        "erased_at": "2026-11-23T08:30:00.250000Z",
        "rows": {
            "end_users": 1,
            "lists": 2,
            "related_people": 1,
            "exposures": 2,
            "impressions": 30,
            "events": 412,
            "ai_answers": 1,
            "ai_requests": 1,
            "ai_questions": 0,
            "former_ids": 0,
            "staff_log": 0,
            "stored_answers": 3,
            "import_files": 0,
        },
    },
    response_only=True,
)
