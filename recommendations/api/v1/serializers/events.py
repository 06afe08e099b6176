"""Serializers of events: for the OpenAPI document, and from an event to its answer."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from recommendations.api.v1 import fields
from recommendations.api.v1.base import stamp
from recommendations.interactions.event_schema import Event


@extend_schema_serializer(component_name="Event")
class EventFields(serializers.Serializer[Any]):
    """Fields of an event. An event is stored once, identified by its user and `event_id`, otherwise by its content.

    Ids from browser tokens have a separate namespace from those of the tenant's systems.
    """

    event_id = fields.text(128)
    user_id = fields.ExternalId()
    item_id = fields.ExternalId()
    type = fields.EventType(
        help_text="view, click, cart, purchase, like, dislike, rating, impression, consume, or a type of your own",
    )
    # No bounds in the document: openapi-generator makes those of 32-bit numbers of them.
    value = serializers.FloatField(required=False, allow_null=True, help_text="From -2^53 to 2^53")
    occurred_at = fields.Moment(
        required=False, help_text="RFC 3339, or Unix seconds; default: now; at most a day ahead of the server's clock"
    )
    recommendation_id = fields.text(64, help_text="The list that it came from")
    context = fields.SentObject(required=False, allow_null=True)  # type: ignore[assignment]  # the contract names it
    received_at = fields.stamp_of_the_server()


@extend_schema_serializer(component_name="Event")
class EventAnswer(serializers.Serializer[Any]):
    """A stored event. For a duplicate, a token without `events:read` gets the request's content."""

    event_id = serializers.CharField(allow_null=True)
    user_id = fields.ExternalId()
    item_id = fields.ExternalId()
    type = fields.EventType()
    value = serializers.FloatField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    recommendation_id = serializers.CharField(allow_null=True)
    context = fields.FlatObject(allow_null=True)  # type: ignore[assignment]  # likewise


class EventPage(serializers.Serializer[Any]):
    """A page of events. With `type` it may be shorter than `limit` although there are more."""

    data = EventAnswer(many=True)  # type: ignore[assignment]  # the contract names it
    next = serializers.CharField(allow_null=True)


FIELDS = tuple(EventAnswer().fields)


def stored_body(row: dict[str, Any]) -> dict[str, Any]:
    """An event that was read, as the API shows it."""
    return {name: stamp(row[name]) if name.endswith("_at") else row[name] for name in FIELDS}


def sent_body(event: Event, received_at: datetime) -> dict[str, Any]:
    """An event as it was sent, received at this moment, as the API shows it."""
    row = {name: getattr(event, name) for name in FIELDS if name != "received_at"}
    return stored_body({**row, "received_at": received_at})


SENT = {
    "event_id": "order-7781-1",
    "user_id": "42",
    "item_id": "movie-1",
    "type": "purchase",
    "value": 9.99,
    "occurred_at": "2026-11-23T08:29:58Z",
    "recommendation_id": "r0f3a8c1d2b4e5f60718293a4b5c6d7e8",
    "context": {"device": "tv"},
}
STORED = {**SENT, "received_at": "2026-11-23T08:30:00.250000Z"}
SENT_EXAMPLE = OpenApiExample("A purchase", value=SENT, request_only=True)
STORED_EXAMPLE = OpenApiExample("A purchase", value=STORED, response_only=True, status_codes=["200", "201"])
PAGE_EXAMPLE = OpenApiExample("The last page", value={"data": [STORED], "next": None}, response_only=True)
