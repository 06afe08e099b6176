"""Serializer fields for the OpenAPI document, with the limits that the readers in `catalog.validators` enforce."""

import copy
from collections.abc import Sequence
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers

from core.http.serializers import ID, ExternalId
from core.principal import Principal
from recommendations.catalog import schemas, timestamps, validators
from recommendations.interactions.identity import Sender

TYPE = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[a-z0-9][a-z0-9_.:\-]*$"}
CATEGORY = {"type": "string", "minLength": 1, "maxLength": schemas.MAX_CATEGORY}
CURSOR = {"type": "string", "minLength": 1, "maxLength": 2048, "pattern": r"^[A-Za-z0-9_:.\-]+$"}
_ATTRIBUTES, _SENT, _MOMENT = "Attributes", "AttributesRequest", "Moment"
__all__ = ["ID", "ExternalId"]
_TEXT = {"type": "string", "maxLength": validators.MAX_ATTRIBUTE_TEXT}
LANGUAGE_TAG = {"type": "string", "maxLength": 16, "pattern": r"^([A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*)?$"}


@extend_schema_field(TYPE)
class EventType(serializers.CharField):
    """The type of an event."""


# Named components of the document: generators would otherwise name each use after its position.
_COMPONENTS = {
    _ATTRIBUTES: {
        "type": "object",
        "description": "Custom names with strings, numbers, booleans or lists of strings.",
        "maxProperties": validators.MAX_ATTRIBUTES,
        "propertyNames": {"minLength": 1, "maxLength": validators.MAX_ATTRIBUTE_NAME},
        "additionalProperties": {"$ref": "#/components/schemas/AttributeValue"},
    },
    "AttributeValue": {
        "anyOf": [
            _TEXT,
            {"type": "number"},
            {"type": "boolean"},
            {"type": "array", "maxItems": validators.MAX_ATTRIBUTE_LIST, "items": {**_TEXT, "minLength": 1}},
        ]
    },
    _SENT: {
        "type": "object",
        "description": "Custom names with strings, numbers, booleans or lists of strings. Entries that are null "
        "or too long are omitted; the others are stored.",
        "maxProperties": validators.MAX_ATTRIBUTES,
        "additionalProperties": {"$ref": "#/components/schemas/AttributeValueRequest"},
    },
    "AttributeValueRequest": {
        "anyOf": [
            {"type": "string"},
            {"type": "number"},
            {"type": "boolean"},
            {"type": "array", "items": {"type": "string", "minLength": 1}},
            {"type": "null"},
        ]
    },
    _MOMENT: {
        "description": "RFC 3339, or Unix seconds.",
        "anyOf": [
            {"type": "string", "format": "date-time"},
            {"type": "number", "minimum": timestamps.MIN_SECONDS, "exclusiveMaximum": timestamps.MAX_SECONDS},
        ],
    },
}


def add_components(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Adds the components that these fields refer to (a hook of drf-spectacular)."""
    result["components"].setdefault("schemas", {}).update(copy.deepcopy(_COMPONENTS))
    result["components"]["schemas"] = dict(sorted(result["components"]["schemas"].items()))
    return result


def words_known_today(words: Sequence[str], description: str) -> dict[str, Any]:
    """The schema of a value in a response whose set may grow: not an enum, as generated clients reject new values."""
    known = ", ".join(f"`{word}`" for word in words)
    return {
        "type": "string",
        "description": f"{description} Current values: {known}; tolerate others.",
        "x-extensible-enum": list(words),
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


@extend_schema_field(_reference(_ATTRIBUTES))
class FlatObject(serializers.DictField):
    """Names with strings, numbers, booleans or lists of strings; not nested."""


@extend_schema_field(_reference(_SENT))
class SentObject(serializers.DictField):
    """A flat object; entries that are null or too long are omitted, the others stored."""


@extend_schema_field(LANGUAGE_TAG)
class LanguageTag(serializers.JSONField):
    """A language tag, such as de-AT, or an empty string, which the document would not allow for a CharField."""


@extend_schema_field({"oneOf": [_reference(_MOMENT), {"type": "null"}]})
class Moment(serializers.DateTimeField):
    """RFC 3339, or Unix seconds."""


def text(max_length: int, **options: Any) -> serializers.CharField:
    """An optional string; null becomes the empty string."""
    return serializers.CharField(max_length=max_length, required=False, allow_blank=True, allow_null=True, **options)


def words(**options: Any) -> serializers.ListField:
    """An optional list of distinct words; null becomes the empty list."""
    return serializers.ListField(
        child=serializers.CharField(max_length=schemas.MAX_CATEGORY),
        max_length=schemas.MAX_CATEGORIES,
        required=False,
        allow_null=True,
        **options,
    )


def stamp_of_the_server(**options: Any) -> serializers.DateTimeField:
    """A field set by the server. It may be sent back unchanged, and is ignored."""
    return serializers.DateTimeField(
        required=False, allow_null=True, help_text="Set by the server; ignored in requests.", **options
    )


def query(name: str, schema: Any = OpenApiTypes.STR, description: str = "") -> OpenApiParameter:
    """A query parameter with its limits."""
    return OpenApiParameter(name, schema, description=description)


def sender(caller: Principal) -> Sender:
    """The scope of the event ids of a request."""
    return Sender.BROWSER if caller.user_id else Sender.BACKEND
