"""Fields that a condition may name, with their types. Free attributes have the type of their value."""

from collections.abc import Mapping
from typing import Literal as OneOf

Type = OneOf["text", "list", "date", "free"]

ITEM: Mapping[str, Type] = {
    "item_id": "text",
    "title": "text",
    "description": "text",
    "categories": "list",
    "available_from": "date",
    "available_until": "date",
    "created_at": "date",
    "updated_at": "date",
}
PERSON: Mapping[str, Type] = {"user_id": "text", "locale": "text", "segments": "list"}
EXAMPLES: Mapping[Type, str] = {
    "text": "a text in quotation marks",
    "list": "contains or in",
    "date": "a date such as 2026-03-01 or now - 7d",
    "free": "a value",
}


def fields_of(*, person: bool) -> Mapping[str, Type]:
    """The types of fields by name."""
    return PERSON if person else ITEM
