"""Serializers of insights."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers

from recommendations.attribution.insights import DIMENSIONS, Insight

_DIMENSION = f"({'|'.join(DIMENSIONS)})"
PARAMETERS = [
    OpenApiParameter("from", OpenApiTypes.DATE, description="First day, UTC; default: four weeks ago."),
    OpenApiParameter("to", OpenApiTypes.DATE, description="Last day, UTC; default: today."),
    OpenApiParameter(
        "by",
        {"type": "string", "pattern": f"^({_DIMENSION}(,{_DIMENSION})*)?$"},
        description=f"Dimensions, separated by commas: {', '.join(DIMENSIONS)}; default: all.",
    ),
    OpenApiParameter("placement", OpenApiTypes.STR, description="Only this placement."),
]


class PlacementInsight(serializers.Serializer[Any]):
    """A group's counts and ratios. Dimensions that were not requested and undefined ratios are null."""

    day = serializers.DateField(allow_null=True, help_text="UTC; clicks and conversions count on their own day")
    placement = serializers.CharField(allow_null=True, help_text="@popular, @similar: lists without a placement")
    arm = serializers.CharField(allow_null=True, help_text="Empty: no comparison")
    source = serializers.CharField(allow_null=True)  # type: ignore[assignment]  # the contract names it
    impressions = serializers.IntegerField(help_text="Served pages, or events of the type impression")
    items_shown = serializers.IntegerField(help_text="Items in them")
    clicks = serializers.IntegerField()
    conversions = serializers.IntegerField()
    ctr = serializers.FloatField(allow_null=True, help_text="clicks / impressions")
    conversion = serializers.FloatField(allow_null=True, help_text="conversions / impressions")
    coverage = serializers.FloatField(allow_null=True, help_text="Share of the catalogue that was shown")
    novelty = serializers.FloatField(allow_null=True, help_text="Mean surprise of a shown item, in bits")


class PlacementInsights(serializers.Serializer[Any]):
    """A page of groups."""

    data = PlacementInsight(many=True)  # type: ignore[assignment]  # likewise
    next = serializers.CharField(allow_null=True)


def body(row: Insight) -> dict[str, Any]:
    """A group as the API shows it."""
    return {
        "day": row.day.isoformat() if row.day else None,
        "placement": row.placement,
        "arm": row.arm,
        "source": row.source,
        "impressions": row.impressions,
        "items_shown": row.items_shown,
        "clicks": row.clicks,
        "conversions": row.conversions,
        "ctr": row.ctr,
        "conversion": row.conversion,
        "coverage": row.coverage,
        "novelty": row.novelty,
    }


EXAMPLE = OpenApiExample(
    "A day at one placement",
    value={
        "data": [
            {
                "day": "2026-11-23",
                "placement": "home",
                "arm": "",
                "source": "ai",
                "impressions": 1000,
                "items_shown": 20000,
                "clicks": 60,
                "conversions": 9,
                "ctr": 0.06,
                "conversion": 0.009,
                "coverage": 0.31,
                "novelty": 9.4,
            }
        ],
        "next": None,
    },
    response_only=True,
)
