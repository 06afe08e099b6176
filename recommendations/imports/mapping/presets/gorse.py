"""gorse: users, items and feedback as its dashboard exports them (CSV), or as its API takes them (JSON)."""

from collections.abc import Callable, Mapping
from typing import Any

from recommendations.imports.mapping import cells
from recommendations.imports.mapping.presets.base import MISSING, FilePreset, Preset, Raw, first, is_true, joined

_TYPES = {"read": "view", "star": "like", "favorite": "like", "buy": "purchase", "add_to_cart": "cart"}


def _labels(*names: str) -> Any:
    """Labels are an object, a list, or a text with `|`, which may hold JSON."""

    def read(raw: Raw) -> Any:
        value = first(raw, names)
        if isinstance(value, str):
            value = _parsed(value)
        return value

    return read


def _parsed(text: str) -> Any:
    if text.strip()[:1] in ("{", "["):
        return cells.parse_json(text)
    return cells.split(text)


def _list(raw: Raw) -> Any:
    """Labels without names, as a list."""
    value = _read_labels(raw)
    return value if isinstance(value, list) else MISSING


def _object(raw: Raw) -> Any:
    """Labels with names: the plain ones."""
    value = _read_labels(raw)
    if not isinstance(value, Mapping):
        return MISSING
    return {key: each for key, each in value.items() if not isinstance(each, Mapping)}


_read_labels: Callable[[Raw], Any] = _labels("labels", "Labels")
_LABELS = frozenset({"labels", "Labels"})
_TIMES = frozenset({"time_stamp", "Timestamp"})

PRESETS = (
    Preset(
        "gorse",
        "gorse: feedback, items, users",
        {
            "events": FilePreset(
                fields={
                    "user_id": ("user_id", "UserId"),
                    "item_id": ("item_id", "ItemId"),
                    "type": ("feedback_type", "FeedbackType"),
                    "value": ("value", "Value"),
                    "occurred_at": ("time_stamp", "Timestamp"),
                },
                types=_TYPES,
                extra="ignore",
                zone="UTC",
            ),
            "items": FilePreset(
                fields={
                    "item_id": ("item_id", "ItemId"),
                    "title": ("description", "comment", "Comment"),
                    "categories": joined("categories", "Categories"),
                    "hidden": is_true("is_hidden", "IsHidden"),
                    "attributes": _object,
                    "attributes.labels": _list,
                },
                extra="ignore",
                unused=_LABELS | _TIMES,
            ),
            "users": FilePreset(
                fields={"user_id": ("user_id", "UserId"), "segments": _list, "attributes": _object},
                extra="ignore",
                unused=_LABELS,
            ),
        },
    ),
)
