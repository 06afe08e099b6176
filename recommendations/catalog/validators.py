"""Readers of single fields: they turn a JSON value or a cell into a checked Python value, or raise FieldRefused.

Every value they return can be stored: no NUL, no lone surrogate, no number that a double cannot represent.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from core import external_ids
from core.errors import FieldError
from recommendations.catalog import timestamps
from recommendations.catalog.merging import Changes

Reader = Callable[[Any, str], Any]

MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_NAME = 128
MAX_ATTRIBUTE_TEXT = 1000
MAX_ATTRIBUTE_LIST = 100
# Beyond it doubles skip integers, so that JSON parsers disagree about the value (RFC 7493, section 2.2).
MAX_INTEGER = 2**53
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*\Z", re.ASCII)
# Attributes with these errors are left out and the others kept: exports of other systems are full of them.
_OMITTED_CODES = frozenset({"null_attribute", "too_long", "too_many", "bad_name"})


class FieldRefused(Exception):
    """A field is invalid, for one or more reasons."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(error.detail for error in errors))
        self.errors = errors


def refusal(pointer: str, code: str, detail: str) -> FieldRefused:
    """The exception for a single error."""
    return FieldRefused(FieldError(pointer, code, detail))


def identifier(value: Any, pointer: str) -> str:
    """Reads an external id."""
    if error := external_ids.find_error(value, pointer):
        raise FieldRefused(error)
    return str(value)


def deliberate_identifier(value: Any, pointer: str) -> str:
    """Reads an external id for an irreversible operation: likely mistakes such as "null" are rejected too."""
    name = identifier(value, pointer)
    if error := external_ids.find_placeholder(name, pointer):
        raise FieldRefused(error)
    return name


def text(max_length: int, *, empty: bool = True) -> Reader:
    """Makes a reader of strings of at most `max_length` characters; null becomes the empty string."""

    def read(value: Any, pointer: str) -> str:
        if value is None and empty:
            return ""
        if not isinstance(value, str):
            raise refusal(pointer, "not_a_string", f"Must be a string, not {_json_type(value)}.")
        if not value and not empty:
            raise refusal(pointer, "required", "Must not be empty.")
        if len(value) > max_length:
            raise refusal(pointer, "too_long", f"Must have at most {max_length} characters, but has {len(value)}.")
        _check_storable(value, pointer)
        return value

    return read


_tag = text(16)


def language_tag(value: Any, pointer: str) -> str:
    """Reads a BCP 47 language tag (roughly), such as de-AT; null becomes the empty string."""
    read: str = _tag(value, pointer)
    if read and not _LANGUAGE_TAG.match(read):
        raise refusal(pointer, "not_a_language_tag", "Must be a language tag, such as de or pt-BR.")
    return read


def string_list(max_count: int, max_length: int) -> Reader:
    """Makes a reader of lists of distinct strings; null becomes the empty list."""
    read_one = text(max_length, empty=False)

    def read(value: Any, pointer: str) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise refusal(pointer, "not_a_list", f"Must be a list of strings, not {_json_type(value)}.")
        if len(value) > max_count:
            raise refusal(pointer, "too_many", f"Must have at most {max_count} entries, but has {len(value)}.")
        return list(dict.fromkeys(read_one(entry, f"{pointer}/{index}") for index, entry in enumerate(value)))

    return read


def boolean(value: Any, pointer: str) -> bool:
    """Reads true or false; null is false."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise refusal(pointer, "not_a_boolean", f"Must be true or false, not {_json_type(value)}.")
    return value


def number(value: Any, pointer: str) -> float | int:
    """Reads a finite number that all JSON parsers represent alike."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise refusal(pointer, "not_a_number", f"Must be a number, not {_json_type(value)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise refusal(pointer, "not_finite", "Must be finite and fit a double.")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise refusal(pointer, "too_large", "Integers must be at most 2^53; send larger ones as a string.")
    return value


def optional_number(value: Any, pointer: str) -> float | None:
    """Reads a number, or null."""
    return None if value is None else float(number(value, pointer))


def moment(value: Any, pointer: str) -> datetime | None:
    """Reads an RFC 3339 timestamp with UTC offset, or null."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise refusal(pointer, "not_a_timestamp", f"Must be an RFC 3339 timestamp, not {_json_type(value)}.")
    try:
        return timestamps.timestamp(value)
    except timestamps.InvalidTime as error:
        raise refusal(pointer, error.code, error.detail) from None


def event_time(value: Any, pointer: str) -> datetime | None:
    """Reads the time of an event: an RFC 3339 timestamp with UTC offset, Unix seconds, or null."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return timestamps.event_timestamp(value)
        return timestamps.unix_seconds(number(value, pointer))
    except timestamps.InvalidTime as error:
        raise refusal(pointer, error.code, error.detail) from None


def flat_object(value: Any, pointer: str, notes: list[FieldError] | None = None) -> dict[str, Any]:
    """Reads a flat object of strings, numbers, booleans and lists of strings; null becomes the empty object.

    Entries that are null or too long are left out, which `notes` collect. In `Changes`, null removes an entry.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise refusal(pointer, "not_an_object", f"Must be an object, not {_json_type(value)}.")
    if len(value) > MAX_ATTRIBUTES:
        raise refusal(pointer, "too_many", f"Must have at most {MAX_ATTRIBUTES} entries, but has {len(value)}.")
    removes = isinstance(value, Changes)
    entries: dict[str, Any] = Changes() if removes else {}
    for key, entry in value.items():
        try:
            name = _attribute_name(key, pointer)
            entries[name] = None if removes and entry is None else _attribute(entry, child_pointer(pointer, key))
        except FieldRefused as refused:
            if any(error.code not in _OMITTED_CODES for error in refused.errors):
                raise
            if notes is not None:
                notes += [FieldError(e.pointer, e.code, f"{e.detail} It was omitted.") for e in refused.errors]
    return entries


_attribute_text = text(MAX_ATTRIBUTE_TEXT)
_attribute_list = string_list(MAX_ATTRIBUTE_LIST, MAX_ATTRIBUTE_TEXT)


def _attribute(value: Any, pointer: str) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _attribute_text(value, pointer)
    if isinstance(value, (int, float)):
        return number(value, pointer)
    if isinstance(value, list):
        return _attribute_list(value, pointer)
    if value is None:
        raise refusal(pointer, "null_attribute", "Is null.")
    detail = f"Must be a string, a number, a boolean or a list of strings, not {_json_type(value)}."
    raise refusal(pointer, "bad_attribute", detail)


def _attribute_name(key: str, pointer: str) -> str:
    if not key or len(key) > MAX_ATTRIBUTE_NAME:
        raise refusal(pointer, "bad_name", f"Names must have 1 to {MAX_ATTRIBUTE_NAME} characters.")
    _check_storable(key, pointer)
    return key


def _check_storable(value: str, pointer: str) -> None:
    if "\x00" in value:
        raise refusal(pointer, "bad_character", f"Character {value.index(chr(0)) + 1} is U+0000, which is not allowed.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        detail = f"Character {error.start + 1} is half of a surrogate pair; send valid Unicode."
        raise refusal(pointer, "bad_character", detail) from None


def child_pointer(pointer: str, name: str) -> str:
    """The JSON pointer of a member (RFC 6901); unprintable names are escaped."""
    shown = name.encode("utf-8", "backslashreplace").decode()[:MAX_ATTRIBUTE_NAME]
    return f"{pointer}/{shown.replace('~', '~0').replace('/', '~1')}"


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
