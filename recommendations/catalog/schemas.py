"""The shapes of items and end users as they arrive (api.md, Shapes): which fields, how each is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import FieldError
from recommendations.catalog import validators
from recommendations.catalog.validators import FieldRefused, Reader

MAX_ERRORS = 20  # told of one object: a row of thousands of unknown fields makes no answer of megabytes
Notes = list[FieldError]


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object may hold. `key` is required; a field that is not given reads as null does.

    Of the fields in `objects`, single entries may be left out (`fields.flat_object`): `notes` learn which, and why.
    """

    key: str
    readers: Mapping[str, Reader]
    read_only: frozenset[str] = frozenset()
    objects: frozenset[str] = frozenset()

    def read(self, raw: Any, pointer: str = "", *, notes: Notes | None = None) -> dict[str, Any]:
        """Every field of the object, those that were not given at their default.

        Raises: FieldRefused with all that is wrong.
        """
        given = self.read_given(raw, pointer, required=(self.key,), notes=notes)
        return {name: given[name] if name in given else read(None, "") for name, read in self._ordered(given)}

    def read_given(
        self, raw: Any, pointer: str = "", *, required: tuple[str, ...] = (), notes: Notes | None = None
    ) -> dict[str, Any]:
        """Only the fields that were given. Read-only ones (timestamps) are dropped: what was read can be sent.

        Raises: FieldRefused with all that is wrong.
        """
        if not isinstance(raw, Mapping):
            raise validators.refuse(pointer, "not_an_object", "Must be a JSON object.")
        errors = [
            FieldError(f"{pointer}/{name}", "required", "This field is required.")
            for name in required
            if name not in raw
        ]
        values: dict[str, Any] = {}
        for name, value in raw.items():
            reader = self.readers.get(name) or (validators.moment if name in self.read_only else None)
            if reader is None:
                known = ", ".join(self.readers)
                errors.append(
                    FieldError(validators.child(pointer, str(name)), "unknown_field", f"Unknown; known are {known}.")
                )
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

ITEM = Shape(
    key="item_id",
    readers={
        "item_id": validators.identifier,
        "title": validators.text(500),
        "description": validators.text(20_000),
        "categories": validators.words(MAX_CATEGORIES, MAX_CATEGORY),
        "attributes": validators.flat_object,
        "hidden": validators.boolean,
        "available_from": validators.moment,
        "available_until": validators.moment,
    },
    read_only=TIMESTAMPS,
    objects=frozenset({"attributes"}),
)

END_USER = Shape(
    key="user_id",
    readers={
        "user_id": validators.identifier,
        "attributes": validators.flat_object,
        "segments": validators.words(MAX_CATEGORIES, MAX_CATEGORY),
        "locale": validators.language_tag,
    },
    read_only=TIMESTAMPS,
    objects=frozenset({"attributes"}),
)


def read_item(raw: Any, pointer: str = "", *, notes: Notes | None = None) -> dict[str, Any]:
    """A whole item: fields that are not given are at their defaults.

    Raises: FieldRefused, also where it would end before it begins.
    """
    item = ITEM.read(raw, pointer, notes=notes)
    check_window(item, pointer)
    return item


def read_item_row(raw: Any, pointer: str = "", *, notes: Notes | None = None) -> dict[str, Any]:
    """An item of a batch: its id and the fields that are given; the others are to stay.

    Raises: FieldRefused, also where it would end before it begins.
    """
    item = ITEM.read_given(raw, pointer, required=("item_id",), notes=notes)
    check_window(item, pointer)
    return item


def read_end_user(raw: Any, pointer: str = "", *, notes: Notes | None = None) -> dict[str, Any]:
    """A whole end user: fields that are not given are at their defaults.

    Raises: FieldRefused.
    """
    return END_USER.read(raw, pointer, notes=notes)


def read_end_user_row(raw: Any, pointer: str = "", *, notes: Notes | None = None) -> dict[str, Any]:
    """An end user of a batch: their id and the fields that are given; the others are to stay.

    Raises: FieldRefused.
    """
    return END_USER.read_given(raw, pointer, required=("user_id",), notes=notes)


def check_item(item: Mapping[str, Any]) -> None:
    """Raises: FieldRefused for an item that may not be stored as a whole, whatever its parts are."""
    check_window(item)
    _check_attributes(item)


def check_end_user(end_user: Mapping[str, Any]) -> None:
    """Raises: FieldRefused for an end user who may not be stored as a whole."""
    _check_attributes(end_user)


def check_window(item: Mapping[str, Any], pointer: str = "") -> None:
    """Raises: FieldRefused when `available_until` is not after `available_from`."""
    start, end = item.get("available_from"), item.get("available_until")
    if start is not None and end is not None and end <= start:
        detail = "Must be later than available_from."
        raise validators.refuse(f"{pointer}/available_until", "bad_window", detail)


def _check_attributes(row: Mapping[str, Any]) -> None:
    """Single attributes that came one by one may be too many together."""
    if (count := len(row["attributes"])) > validators.MAX_ATTRIBUTES:
        detail = f"At most {validators.MAX_ATTRIBUTES} entries; together with those that are stored these are {count}."
        raise validators.refuse("/attributes", "too_many", detail)
