"""Amazon Personalize: data sets as CSV, with columns in capitals and times in Unix seconds."""

from recommendations.imports.mapping.presets.base import FilePreset, Preset, joined

_TYPES = {"watch": "consume", "addtocart": "cart", "add_to_cart": "cart", "productview": "view"}

PRESETS = (
    Preset(
        "amazon-personalize",
        "Amazon Personalize: interactions, items, users",
        {
            "events": FilePreset(
                fields={
                    "user_id": "USER_ID",
                    "item_id": "ITEM_ID",
                    "type": "EVENT_TYPE",
                    "value": "EVENT_VALUE",
                    "occurred_at": "TIMESTAMP",
                },
                defaults={"type": "view"},
                types=_TYPES,
                extra="ignore",
                unused=frozenset({"IMPRESSION", "RECOMMENDATION_ID"}),
            ),
            "items": FilePreset(
                fields={
                    "item_id": "ITEM_ID",
                    "title": ("TITLE", "NAME", "PRODUCT_NAME"),
                    "description": ("DESCRIPTION", "PRODUCT_DESCRIPTION"),
                    "categories": joined("GENRES", "GENRE", "CATEGORY", "CATEGORY_L1", "CATEGORY_L2", "CATEGORY_L3"),
                },
                unused=frozenset(
                    {"GENRES", "GENRE", "CATEGORY", "CATEGORY_L1", "CATEGORY_L2", "CATEGORY_L3", "CREATION_TIMESTAMP"}
                ),
            ),
            "users": FilePreset(fields={"user_id": "USER_ID"}),
        },
    ),
)
