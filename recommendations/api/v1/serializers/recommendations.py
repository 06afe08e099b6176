"""Serializers of recommendation requests and answers."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from core.http.serializers import READ_PROBLEMS, StrictBody, StrictSerializer
from recommendations.api.v1 import fields
from recommendations.cache.list_codec import HEAD, MAX_ITEMS
from recommendations.catalog import schemas
from recommendations.degradation import DEGRADED
from recommendations.filter_language.parser import MAX_LENGTH
from recommendations.placements.models import HOME

SOURCES = ["ai", "model", "popular", "static"]
PROBLEMS = READ_PROBLEMS
MAX_EXCLUDE = 100
MAX_EXCLUDE_BYTES = 4096

FILTER = {"type": "string", "maxLength": MAX_LENGTH}

PAGE_PARAMETERS = [
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": MAX_ITEMS, "default": HEAD}),
    OpenApiParameter("cursor", fields.CURSOR, description="`next` of the previous page; valid for half an hour."),
    OpenApiParameter("category", {"type": "string", "maxLength": schemas.MAX_CATEGORY}),
    OpenApiParameter(
        "filter",
        FILTER,
        description="Only items that match this condition, such as `attributes.price < 20 and not title contains 'x'`.",
    ),
    OpenApiParameter(
        "exclude",
        {"type": "array", "maxItems": MAX_EXCLUDE, "items": fields.ID},
        description="Item ids to exclude, repeatable; at most 100 and 4 KB.",
    ),
    OpenApiParameter("include", {"type": "string", "enum": ["item"]}),
    OpenApiParameter("explain", OpenApiTypes.BOOL, description="Name the part of the blend that proposed each item."),
    OpenApiParameter("If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER),
]


WINDOWS = ["1d", "7d", "30d"]
WEEK = "7d"
WINDOW = OpenApiParameter(
    "window", {"type": "string", "enum": WINDOWS}, description="Only events of this period; default: all."
)
TRENDING_WINDOW = OpenApiParameter("window", {"type": "string", "enum": WINDOWS, "default": WEEK})


@extend_schema_field(fields.words_known_today(SOURCES, "The step that made the list."))
class Source(serializers.CharField):
    """The step that produced a list."""


@extend_schema_field(
    fields.words_known_today(DEGRADED, "Null where the list is as intended; otherwise the reason why it is not.")
)
class Degraded(serializers.CharField):
    """The reason why a list is not the intended one."""


class PageQuery(StrictSerializer):
    """The query of one list."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_ITEMS, default=HEAD)
    category = serializers.CharField(
        max_length=schemas.MAX_CATEGORY, default="", allow_blank=True, trim_whitespace=False
    )
    filter = serializers.CharField(max_length=MAX_LENGTH, default="", allow_blank=True, trim_whitespace=False)
    include = serializers.ChoiceField(choices=["item"], required=False)
    explain = serializers.BooleanField(default=False)
    cursor = serializers.CharField(default="", max_length=2048)
    exclude = serializers.ListField(child=fields.ExternalId(), default=list, max_length=MAX_EXCLUDE)

    def validate_exclude(self, value: list[str]) -> list[str]:
        """At most 4 KB in all: longer lists go through the batch."""
        if sum(map(len, value)) > MAX_EXCLUDE_BYTES:
            raise serializers.ValidationError("More than 4 KB of ids; use POST /recommendations/batch.")
        return value


class PersonQuery(PageQuery):
    """The query of a user's list."""

    placement = serializers.CharField(default=HOME)


class WindowQuery(PageQuery):
    """The query of a list with a window."""

    window = serializers.CharField(default="", allow_blank=True)


@extend_schema_serializer(component_name="RecommendationsBatch")
class BatchRequest(StrictBody):
    """The body of a batch: up to 100 users, with the same options."""

    user_ids = serializers.ListField(child=fields.ExternalId(), min_length=1, max_length=100)
    placement = serializers.CharField(default=HOME)
    limit = serializers.IntegerField(min_value=1, max_value=MAX_ITEMS, default=HEAD)
    category = serializers.CharField(
        max_length=schemas.MAX_CATEGORY, default="", allow_blank=True, trim_whitespace=False
    )
    exclude = serializers.ListField(child=fields.ExternalId(), default=list, max_length=1000)
    filter = serializers.CharField(max_length=MAX_LENGTH, default="", allow_blank=True, trim_whitespace=False)
    include = serializers.ChoiceField(choices=["item"], required=False)
    explain = serializers.BooleanField(default=False)


class SessionEvent(StrictSerializer):
    """An event of the session: latest last, or in any order if all have `occurred_at`."""

    item_id = fields.ExternalId()
    type = fields.EventType(required=False, help_text="With the tenant's weight; default: a view")
    occurred_at = serializers.DateTimeField(required=False)


@extend_schema_serializer(component_name="Session")
class SessionRequest(StrictBody):
    """A session and the common options."""

    events = serializers.ListField(child=SessionEvent(), min_length=1, max_length=100)
    limit = serializers.IntegerField(min_value=1, max_value=MAX_ITEMS, default=HEAD)
    category = serializers.CharField(
        max_length=schemas.MAX_CATEGORY, default="", allow_blank=True, trim_whitespace=False
    )
    filter = serializers.CharField(max_length=MAX_LENGTH, default="", allow_blank=True, trim_whitespace=False)
    exclude = serializers.ListField(child=fields.ExternalId(), default=list, max_length=1000)
    include = serializers.ChoiceField(choices=["item"], required=False)
    explain = serializers.BooleanField(default=False)
    cursor = serializers.CharField(required=False, max_length=2048)


class Evidence(serializers.Serializer[Any]):
    """An item of the user's history that supports a reason."""

    item_id = serializers.CharField()


class IncludedItem(serializers.Serializer[Any]):
    """The item's entry in the catalogue."""

    item_id = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    categories = serializers.ListField(child=serializers.CharField())
    attributes = fields.FlatObject()


class Explanation(serializers.Serializer[Any]):
    """Provenance of the item."""

    part = serializers.CharField(help_text="The part of the blend that proposed it")


class RecommendedItem(serializers.Serializer[Any]):
    """One position in a list."""

    item_id = serializers.CharField()
    rank = serializers.IntegerField(help_text="From 1, over all pages")
    score = serializers.FloatField(help_text="Comparable within one list only")
    reason = serializers.CharField()
    evidence = Evidence(many=True)
    item = IncludedItem(required=False, allow_null=True, help_text="With include=item; null: deleted meanwhile")
    explain = Explanation(required=False, help_text="With explain=true")


class Recommendations(serializers.Serializer[Any]):
    """A list and how it was made."""

    recommendation_id = serializers.CharField(
        help_text="Identifies this version and page of the list; send it with clicks"
    )
    user_id = serializers.CharField(allow_null=True)
    placement = serializers.CharField(allow_null=True)
    source = Source()  # type: ignore[assignment]  # the contract names it
    degraded = Degraded(allow_null=True)
    simulated = serializers.BooleanField(help_text="A simulator answered instead of an AI model")
    artefact = serializers.IntegerField(allow_null=True)
    generated_at = serializers.DateTimeField()
    items = RecommendedItem(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page")


@extend_schema_serializer(component_name="RecommendationsBatch")
class BatchResponse(serializers.Serializer[Any]):
    """One list per user, in the requested order."""

    data = Recommendations(many=True)  # type: ignore[assignment]  # likewise


EXAMPLE = OpenApiExample(
    "A personal list",
    value={
        "recommendation_id": "r0f3a8c1d2b4e5f60718293a4b5c6d7e8",
        "user_id": "42",
        "placement": "home",
        "source": "ai",
        "degraded": None,
        "simulated": False,
        "artefact": 7,
        "generated_at": "2026-11-23T03:00:41Z",
        "next": None,
        "items": [
            {
                "item_id": "1198",
                "rank": 1,
                "score": 3.41,
                "reason": "Because you liked Star Wars",
                "evidence": [{"item_id": "260"}],
            }
        ],
    },
    response_only=True,
)
BATCH_EXAMPLE = OpenApiExample(
    "Two users", value={"user_ids": ["42", "43"], "limit": 10, "exclude": ["1198"]}, request_only=True
)
BATCH_ANSWER_EXAMPLE = OpenApiExample("One of the lists", value={"data": [EXAMPLE.value]}, response_only=True)
SESSION_EXAMPLE = OpenApiExample(
    "A visit",
    value={"events": [{"item_id": "260", "type": "view"}, {"item_id": "1196", "type": "cart"}], "limit": 10},
    request_only=True,
)
