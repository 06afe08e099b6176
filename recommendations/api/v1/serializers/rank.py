"""Serializers of rankings of given items."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from core import external_ids
from core.http.serializers import StrictBody
from recommendations.api.v1 import fields
from recommendations.api.v1.serializers.recommendations import Degraded, RecommendedItem, Source
from recommendations.catalog import schemas
from recommendations.filter_language.parser import MAX_LENGTH
from recommendations.serving.ranking.ranking_query import LEFT_OUT_DETAILS, MAX_ITEMS

MAX_BROWSER_ITEMS = 100
# As many bad ids are told in one answer.
MAX_ERRORS = 20


@extend_schema_field({"type": "array", "items": fields.ID, "minItems": 1, "maxItems": MAX_ITEMS, "uniqueItems": True})
class GivenIds(serializers.ListField):
    """Ids of items, each once. Checked in one go: a thousand fields of DRF's would cost more than the ranking."""

    child = fields.ExternalId()

    def run_child_validation(self, data: list[Any]) -> list[str]:
        """The ids as they came.

        Raises: ValidationError with the first bad ones.
        """
        places: dict[str, int] = {}
        errors: dict[int, list[serializers.ErrorDetail]] = {}
        for index, value in enumerate(data):
            if refused := external_ids.find_error(value, ""):
                errors[index] = [serializers.ErrorDetail(refused.detail, refused.code)]
            elif (first := places.setdefault(value, index)) != index:
                told = f"Is the same as entry {first}, counted from 0; give each id once."
                errors[index] = [serializers.ErrorDetail(told, "duplicate")]
            if len(errors) >= MAX_ERRORS:
                break
        if errors:
            raise serializers.ValidationError(errors)  # type: ignore[arg-type]  # pointers are made from the places
        return data


@extend_schema_serializer(component_name="Rank")
class RankRequest(StrictBody):
    """Items to rank for a user, and the common options."""

    item_ids = GivenIds(min_length=1, max_length=MAX_ITEMS, help_text="Unique; at most 100 with a browser token")
    placement = serializers.CharField(
        required=False, help_text="Its filter, hide, boosts and consumed apply. Without a placement no rules apply"
    )
    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_ITEMS, default=MAX_ITEMS, help_text="Maximum number of returned items"
    )
    rank_consumed = serializers.BooleanField(
        default=False, help_text="Also rank items that the user has already chosen, whatever the rules say"
    )
    category = serializers.CharField(
        max_length=schemas.MAX_CATEGORY, default="", allow_blank=True, trim_whitespace=False
    )
    filter = serializers.CharField(max_length=MAX_LENGTH, default="", allow_blank=True, trim_whitespace=False)
    exclude = serializers.ListField(child=fields.ExternalId(), default=list, max_length=MAX_ITEMS)
    include = serializers.ChoiceField(choices=["item"], required=False)
    explain = serializers.BooleanField(default=False)


@extend_schema_field(fields.words_known_today(tuple(LEFT_OUT_DETAILS), "Why the item is not ranked."))
class LeftOutCode(serializers.CharField):
    """The reason for omitting an item."""


class LeftOutItem(serializers.Serializer[Any]):
    """A given item that is not ranked."""

    item_id = serializers.CharField()
    code = LeftOutCode()
    detail = serializers.CharField()


class Ranking(serializers.Serializer[Any]):
    """The given items ranked for the user, with the provenance of the ranking."""

    recommendation_id = serializers.CharField(help_text="Identifies this ranking; send it with clicks")
    user_id = serializers.CharField()
    placement = serializers.CharField(allow_null=True)
    source = Source()  # type: ignore[assignment]  # the contract names it
    degraded = Degraded(allow_null=True)
    simulated = serializers.BooleanField(help_text="Reasons are from a simulator instead of an AI model")
    artefact = serializers.IntegerField(allow_null=True)
    generated_at = serializers.DateTimeField()
    items = RecommendedItem(many=True, help_text="Best first")
    left_out = LeftOutItem(many=True, help_text="In the order given")


ASKED_EXAMPLE = OpenApiExample(
    "Search results",
    value={"item_ids": ["1196", "1198", "260", "no-longer-sold"], "placement": "home", "limit": 20},
    request_only=True,
)
EXAMPLE = OpenApiExample(
    "For the user",
    value={
        "recommendation_id": "r0f3a8c1d2b4e5f6071829304.m5a0a3c1e.",
        "user_id": "42",
        "placement": "home",
        "source": "model",
        "degraded": None,
        "simulated": False,
        "artefact": 7,
        "generated_at": "2026-11-30T09:12:41Z",
        "items": [
            {
                "item_id": "1198",
                "rank": 1,
                "score": 1.284013,
                "reason": "Because you liked Star Wars",
                "evidence": [{"item_id": "260"}],
            },
            {"item_id": "1196", "rank": 2, "score": 0.41802, "reason": "Popular with everybody", "evidence": []},
        ],
        "left_out": [
            {"item_id": "260", "code": "consumed", "detail": LEFT_OUT_DETAILS["consumed"]},
            {"item_id": "no-longer-sold", "code": "withdrawn", "detail": LEFT_OUT_DETAILS["withdrawn"]},
        ],
    },
    response_only=True,
)
