"""Fields as they stand in the OpenAPI document, with the bounds that their readers (catalog.fields) hold them to."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from core.principal import Principal
from recommendations.catalog import fields, ids, moments, shapes
from recommendations.interactions.identity import Sender

ID = {"type": "string", "minLength": 1, "maxLength": ids.MAX_LENGTH, "pattern": r"^[A-Za-z0-9._\-~:@+=,!$'()*]+$"}
TYPE = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[a-z0-9][a-z0-9_.:\-]*$"}
CATEGORY = {"type": "string", "minLength": 1, "maxLength": shapes.MAX_CATEGORY}
CURSOR = {"type": "string", "minLength": 1, "maxLength": 2048, "pattern": r"^[A-Za-z0-9_:.\-]+$"}
_TEXT = {"type": "string", "maxLength": fields.MAX_ATTRIBUTE_TEXT}
LANGUAGE_TAG = {"type": "string", "maxLength": 16, "pattern": r"^([A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*)?$"}


@extend_schema_field(ID)
class ExternalId(serializers.CharField):
    """The tenant's own id of an item or a person, as it stands: nothing is cut off."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """DRF's own, after a look at the characters."""
        if isinstance(data, str) and (error := ids.refusal(data, "")):
            raise serializers.ValidationError(error.detail, error.code)
        return super().run_validation(data)


@extend_schema_field(TYPE)
class EventType(serializers.CharField):
    """A word for a kind of event."""


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": fields.MAX_ATTRIBUTES,
        "propertyNames": {"minLength": 1, "maxLength": fields.MAX_ATTRIBUTE_NAME},
        "additionalProperties": {
            "anyOf": [
                _TEXT,
                {"type": "number"},
                {"type": "boolean"},
                {"type": "array", "maxItems": fields.MAX_ATTRIBUTE_LIST, "items": {**_TEXT, "minLength": 1}},
            ]
        },
    }
)
class FlatObject(serializers.DictField):
    """Names with strings, numbers, booleans or lists of strings; nothing nests."""


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": fields.MAX_ATTRIBUTES,
        "additionalProperties": {
            "anyOf": [
                {"type": "string"},
                {"type": "number"},
                {"type": "boolean"},
                {"type": "array", "items": {"type": "string", "minLength": 1}},
                {"type": "null"},
            ]
        },
    }
)
class SentObject(serializers.DictField):
    """As FlatObject; an entry that is null or too long is left out, and the others are kept."""


@extend_schema_field(LANGUAGE_TAG)
class LanguageTag(serializers.CharField):
    """A language tag, such as de-AT."""


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "number", "minimum": moments.MIN_SECONDS, "exclusiveMaximum": moments.MAX_SECONDS},
            {"type": "null"},
        ]
    }
)
class Moment(serializers.DateTimeField):
    """RFC 3339, or Unix seconds."""


def text(max_length: int, **options: Any) -> serializers.CharField:
    """A string that may be empty; null is the empty string."""
    return serializers.CharField(max_length=max_length, required=False, allow_blank=True, allow_null=True, **options)


def words(**options: Any) -> serializers.ListField:
    """Short words without repetition; null is the empty list."""
    return serializers.ListField(
        child=serializers.CharField(max_length=shapes.MAX_CATEGORY),
        max_length=shapes.MAX_CATEGORIES,
        required=False,
        allow_null=True,
        **options,
    )


def stamp_of_the_server(**options: Any) -> serializers.DateTimeField:
    """What the server sets: it may be sent back, so that what was read can be written, and is not used."""
    return serializers.DateTimeField(
        required=False, allow_null=True, help_text="The server's; taken and not used.", **options
    )


def query(name: str, schema: Any = OpenApiTypes.STR, description: str = "") -> OpenApiParameter:
    """A query parameter with its bounds."""
    return OpenApiParameter(name, schema, description=description)


def sender(caller: Principal) -> Sender:
    """Whose ids the events of a request have."""
    return Sender.BROWSER if caller.user_id else Sender.BACKEND
