"""The shapes of items and end users as they arrive (api.md, Shapes): which fields, how each is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import FieldError
from recommendations.catalog import fields
from recommendations.catalog.fields import FieldRefused, Reader

MAX_ERRORS = 20  # told of one object: a row of thousands of unknown fields makes no answer of megabytes


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object may hold. `key` is required; a field that is not given reads as null does."""

    key: str
    readers: Mapping[str, Reader]
    read_only: frozenset[str] = frozenset()

    def read(self, raw: Any, pointer: str = "") -> dict[str, Any]:
        """Every field of the object, those that were not given at their default.

        Raises: FieldRefused with all that is wrong.
        """
        given = self.read_given(raw, pointer, required=(self.key,))
        return {name: given[name] if name in given else read(None, "") for name, read in self._ordered(given)}

    def read_given(self, raw: Any, pointer: str = "", *, required: tuple[str, ...] = ()) -> dict[str, Any]:
        """Only the fields that were given. Read-only ones (timestamps) are dropped: what was read can be sent.

        Raises: FieldRefused with all that is wrong.
        """
        if not isinstance(raw, Mapping):
            raise fields.refuse(pointer, "not_an_object", "Must be a JSON object.")
        errors = [
            FieldError(f"{pointer}/{name}", "required", "This field is required.")
            for name in required
            if name not in raw
        ]
        values: dict[str, Any] = {}
        for name, value in raw.items():
            reader = self.readers.get(name) or (fields.moment if name in self.read_only else None)
            if reader is None:
                known = ", ".join(self.readers)
                errors.append(
                    FieldError(fields.child(pointer, str(name)), "unknown_field", f"Unknown; known are {known}.")
                )
                continue
            try:
                read = reader(value, f"{pointer}/{name}")
            except FieldRefused as refused:
                errors.extend(refused.errors)
                continue
            if name in self.readers:
                values[name] = read
        if errors:
            raise FieldRefused(*errors[:MAX_ERRORS])
        return values

    def _ordered(self, given: Mapping[str, Any]) -> list[tuple[str, Reader]]:
        return [(name, read) for name, read in self.readers.items() if name in given or name != self.key]


MAX_CATEGORIES = 100
MAX_CATEGORY = 128
TIMESTAMPS = frozenset({"created_at", "updated_at"})

ITEM = Shape(
    key="item_id",
    readers={
        "item_id": fields.identifier,
        "title": fields.text(500),
        "description": fields.text(20_000),
        "categories": fields.words(MAX_CATEGORIES, MAX_CATEGORY),
        "attributes": fields.flat_object,
        "hidden": fields.boolean,
        "available_from": fields.moment,
        "available_until": fields.moment,
    },
    read_only=TIMESTAMPS,
)

END_USER = Shape(
    key="user_id",
    readers={
        "user_id": fields.identifier,
        "attributes": fields.flat_object,
        "segments": fields.words(MAX_CATEGORIES, MAX_CATEGORY),
        "locale": fields.text(16),
    },
    read_only=TIMESTAMPS,
)


def read_item(raw: Any, pointer: str = "") -> dict[str, Any]:
    """A whole item.

    Raises: FieldRefused, also where it would end before it begins.
    """
    item = ITEM.read(raw, pointer)
    check_window(item, pointer)
    return item


def read_end_user(raw: Any, pointer: str = "") -> dict[str, Any]:
    """A whole end user.

    Raises: FieldRefused.
    """
    return END_USER.read(raw, pointer)


def check_window(item: Mapping[str, Any], pointer: str = "") -> None:
    """Raises: FieldRefused when `available_until` is not after `available_from`."""
    start, end = item.get("available_from"), item.get("available_until")
    if start is not None and end is not None and end <= start:
        detail = "Must be later than available_from."
        raise fields.refuse(f"{pointer}/available_until", "bad_window", detail)
