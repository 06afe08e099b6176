"""Recombee: items and users with properties; interactions, whose kind is not in the file but in the preset's name."""

from recommendations.imports.mapping.presets.base import FilePreset, Preset


def _interactions(kind: str, *value: str) -> FilePreset:
    """Of one kind. `value` is where its number stands."""
    return FilePreset(
        fields={
            "user_id": ("userId", "user_id"),
            "item_id": ("itemId", "item_id"),
            "occurred_at": "timestamp",
            **({"value": value} if value else {}),
        },
        defaults={"type": kind},
        extra="ignore",
        zone="UTC",
    )


PRESETS = (
    Preset(
        "recombee",
        "Recombee: items, users, detail views",
        {
            "events": _interactions("view", "duration"),
            "items": FilePreset(
                fields={
                    "item_id": ("itemId", "item_id", "id"),
                    "title": ("title", "name"),
                    "description": "description",
                    "categories": ("categories", "category"),
                },
            ),
            "users": FilePreset(
                fields={"user_id": ("userId", "user_id", "id"), "segments": ("segments", "segment")},
            ),
        },
    ),
    *(
        Preset(f"recombee-{name}", f"Recombee: {name.replace('-', ' ')}", {"events": _interactions(kind, *value)})
        for name, kind, *value in (
            ("purchases", "purchase", "price"),
            ("cart-additions", "cart", "price"),
            ("bookmarks", "like"),
            ("ratings", "rating", "rating"),
            ("view-portions", "consume", "portion"),
        )
    ),
)
