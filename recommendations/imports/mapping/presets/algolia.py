"""Algolia: records of an index (JSON), and events as CSV for Recommend or as the Insights API takes them.

Times of the Insights API are numbers, in milliseconds; those of the CSV are dates, with or without a time.
"""

from typing import Any

from recommendations.imports.mapping.presets.base import FilePreset, Preset, Raw, find

# An index has a shape of its own; these are the names that most of them use.
_TYPES = {"addtocart": "cart", "purchase": "purchase", "conversion": "purchase"}


def _each(raw: Raw) -> list[Raw]:
    """An event of the Insights API may name several objects."""
    several = raw.get("objectIDs")
    return [{**raw, "objectID": each} for each in several] or [raw] if isinstance(several, list) else [raw]


def _type(raw: Raw) -> Any:
    subtype = raw.get("eventSubtype")
    return subtype if isinstance(subtype, str) and subtype else find(raw, "eventType")


PRESETS = (
    Preset(
        "algolia",
        "Algolia: records, events",
        {
            "events": FilePreset(
                fields={
                    "user_id": ("authenticatedUserToken", "userToken"),
                    "item_id": "objectID",
                    "type": _type,
                    "occurred_at": "timestamp",
                    "context.event": "eventName",
                },
                types=_TYPES,
                each=_each,
                needs=("item_id",),
                extra="ignore",
                zone="UTC",
                unit="milliseconds",
            ),
            "items": FilePreset(
                fields={
                    "item_id": "objectID",
                    "title": ("title", "name"),
                    "description": "description",
                    "categories": ("categories", "category"),
                },
                unused=frozenset({"_highlightResult", "_snippetResult", "_rankingInfo", "_distinctSeqID"}),
            ),
        },
    ),
)
