"""Schemas of items and end users as callers send them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import FieldError
from recommendations.catalog import validators
from recommendations.catalog.validators import FieldRefused, Reader

MAX_ERRORS = 20  # reported per object: thousands of unknown fields must not make a response of megabytes
Notes = list[FieldError]


@dataclass(frozen=True, slots=True)
class ObjectSchema:
    """The fields of an object. `key` is required; other missing fields are read as null.

    Invalid entries of the fields in `objects` may be left out (`validators.flat_object`), which `notes` collect.
    """

    key: str
    readers: Mapping[str, Reader]
    read_only: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()

    def read(self, raw: Any, pointer: str = "", *, notes: Notes | None = None) -> dict[str, Any]:
        """Reads all fields; missing ones get their defaults.

        Raises:
            FieldRefused: With all errors.
        """
        given = self.read_given(raw, pointer, required=(self.key,), notes=notes)
        return {name: given[name] if name in given else read(None, "") for name, read in self._ordered(given)}

    def read_given(
        self, raw: Any, pointer: str = "", *, required: tuple[str, ...] = (), notes: Notes | None = None
    ) -> dict[str, Any]:
        """Reads only the given fields, without read-only ones: callers may send back what they have read.

        Raises:
            FieldRefused: With all errors.
        """
        if not isinstance(raw, Mapping):
            raise validators.refusal(pointer, "not_an_object", "Must be a JSON object.")
        errors = [
            FieldError(f"{pointer}/{name}", "required", "This field is required.")
            for name in required
            if name not in raw
        ]
        values: dict[str, Any] = {}
        for name, value in raw.items():
            reader = self.readers.get(name) or (validators.moment if name in self.read_only else None)
            if reader is None:
                detail = f"Unknown field. Allowed: {', '.join(self.readers)}."
                errors.append(FieldError(validators.child_pointer(pointer, str(name)), "unknown_field", detail))
                continue
            try:
                read: Any
                if name in self.objects:
                    read = validators.flat_object(value, f"{pointer}/{name}", notes)
                else:
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

ITEM = ObjectSchema(
    key="item_id",
    readers={
        "item_id": validators.identifier,
        "title": validators.text(500),
        "description": validators.text(20_000),
        "categories": validators.string_list(MAX_CATEGORIES, MAX_CATEGORY),
        "attributes": validators.flat_object,
        "hidden": validators.boolean,
        "available_from": validators.moment,
        "available_until": validators.moment,
    },
    read_only=TIMESTAMPS,
    objects=frozenset({"attributes"}),
)

END_USER = ObjectSchema(
    key="user_id",
    readers={
        "user_id": validators.identifier,
        "attributes": validators.flat_object,
        "segments": validators.string_list(MAX_CATEGORIES, MAX_CATEGORY),
        "locale": validators.language_tag,
    },
    read_only=TIMESTAMPS,
    objects=frozenset({"attributes"}),
)


def read_item(raw: Any, pointer: str = "", *, notes: Notes | None = None) -> dict[str, Any]:
    """Reads a whole item; missing fields get their defaults.

    Raises: FieldRefused, also if the item would end before it begins.
    """
    item = ITEM.read(raw, pointer, notes=notes)
    check_window(item, pointer)
    return item


def read_item_row(raw: Any, pointer: str = "", *, notes: Notes | None = None) -> dict[str, Any]:
    """Reads an item of a batch: its id and the given fields.

    Raises: FieldRefused, also if the item would end before it begins.
    """
    item = ITEM.read_given(raw, pointer, required=("item_id",), notes=notes)
    check_window(item, pointer)
    return item


def read_end_user(raw: Any, pointer: str = "", *, notes: Notes | None = None) -> dict[str, Any]:
    """Reads a whole user; missing fields get their defaults.

    Raises: FieldRefused.
    """
    return END_USER.read(raw, pointer, notes=notes)


def read_end_user_row(raw: Any, pointer: str = "", *, notes: Notes | None = None) -> dict[str, Any]:
    """Reads a user of a batch: the id and the given fields.

    Raises: FieldRefused.
    """
    return END_USER.read_given(raw, pointer, required=("user_id",), notes=notes)


def check_item(item: Mapping[str, Any]) -> None:
    """Raises: FieldRefused if the merged item is invalid although its parts are valid."""
    check_window(item)
    _check_attributes(item)


def check_end_user(end_user: Mapping[str, Any]) -> None:
    """Raises: FieldRefused if the merged user is invalid although its parts are valid."""
    _check_attributes(end_user)


def check_window(item: Mapping[str, Any], pointer: str = "") -> None:
    """Raises: FieldRefused if `available_until` is not after `available_from`."""
    start, end = item.get("available_from"), item.get("available_until")
    if start is not None and end is not None and end <= start:
        detail = "Must be later than available_from."
        raise validators.refusal(f"{pointer}/available_until", "bad_window", detail)


def _check_attributes(row: Mapping[str, Any]) -> None:
    """Attributes sent one by one may be too many in total."""
    if (count := len(row["attributes"])) > validators.MAX_ATTRIBUTES:
        detail = f"At most {validators.MAX_ATTRIBUTES} entries; with the stored ones there would be {count}."
        raise validators.refusal("/attributes", "too_many", detail)
