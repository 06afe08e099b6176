"""Readers of single fields: what JSON or a table's cell holds, as a checked Python value, or a clear refusal.

Everything that comes out can be stored: no NUL, no lone surrogate, no number that a double cannot hold.
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
# Beyond it a double skips whole numbers, so that readers of JSON disagree about the value (RFC 7493, section 2.2).
MAX_INTEGER = 2**53
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*\Z", re.ASCII)
# A longer attribute, or one that is null, is left out, and the rest kept: they come from exports of other systems.
_LEFT_OUT = frozenset({"null_attribute", "too_long", "too_many", "bad_name"})


class FieldRefused(Exception):
    """One or more things wrong with a field."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("; ".join(error.detail for error in errors))
        self.errors = errors


def refuse(pointer: str, code: str, detail: str) -> FieldRefused:
    """The exception for one error."""
    return FieldRefused(FieldError(pointer, code, detail))


def identifier(value: Any, pointer: str) -> str:
    """An external id."""
    if error := external_ids.refusal(value, pointer):
        raise FieldRefused(error)
    return str(value)


def certain_identifier(value: Any, pointer: str) -> str:
    """An external id for what cannot be undone: one that is most likely a mistake is refused as well."""
    name = identifier(value, pointer)
    if error := external_ids.mistake(name, pointer):
        raise FieldRefused(error)
    return name


def text(max_length: int, *, empty: bool = True) -> Reader:
    """A reader of strings of at most so many characters; null is the empty string."""

    def read(value: Any, pointer: str) -> str:
        if value is None and empty:
            return ""
        if not isinstance(value, str):
            raise refuse(pointer, "not_a_string", f"Must be a string, not {_kind(value)}.")
        if not value and not empty:
            raise refuse(pointer, "required", "Must not be empty.")
        if len(value) > max_length:
            raise refuse(pointer, "too_long", f"At most {max_length} characters; this has {len(value)}.")
        _check_storable(value, pointer)
        return value

    return read


_tag = text(16)


def language_tag(value: Any, pointer: str) -> str:
    """A tag of BCP 47, roughly, such as de-AT, of at most 16 characters; null is the empty string."""
    read: str = _tag(value, pointer)
    if read and not _LANGUAGE_TAG.match(read):
        raise refuse(pointer, "not_a_language_tag", "Must be a language tag, such as de or pt-BR.")
    return read


def words(max_count: int, max_length: int) -> Reader:
    """A reader of lists of strings without repetition; null is the empty list."""
    read_one = text(max_length, empty=False)

    def read(value: Any, pointer: str) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise refuse(pointer, "not_a_list", f"Must be a list of strings, not {_kind(value)}.")
        if len(value) > max_count:
            raise refuse(pointer, "too_many", f"At most {max_count} entries; this has {len(value)}.")
        return list(dict.fromkeys(read_one(entry, f"{pointer}/{index}") for index, entry in enumerate(value)))

    return read


def boolean(value: Any, pointer: str) -> bool:
    """true or false; null is false."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise refuse(pointer, "not_a_boolean", f"Must be true or false, not {_kind(value)}.")
    return value


def number(value: Any, pointer: str) -> float | int:
    """A finite number that every reader of JSON understands alike."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise refuse(pointer, "not_a_number", f"Must be a number, not {_kind(value)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise refuse(pointer, "not_finite", "The number is not finite or too large for a double.")
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise refuse(pointer, "too_large", "A whole number may be at most 2^53; send longer ones as a string.")
    return value


def optional_number(value: Any, pointer: str) -> float | None:
    """As `number`, or null."""
    return None if value is None else float(number(value, pointer))


def moment(value: Any, pointer: str) -> datetime | None:
    """An RFC 3339 timestamp with its offset, in UTC; or null."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise refuse(pointer, "not_a_timestamp", f"Must be an RFC 3339 timestamp, not {_kind(value)}.")
    try:
        return timestamps.timestamp(value)
    except timestamps.NoMoment as error:
        raise refuse(pointer, error.code, error.detail) from None


def occurrence(value: Any, pointer: str) -> datetime | None:
    """When an event happened: an RFC 3339 timestamp with its offset, or Unix seconds; or null."""
    if value is None:
        return None
    try:
        return (
            timestamps.occurrence(value) if isinstance(value, str) else timestamps.unix_seconds(number(value, pointer))
        )
    except timestamps.NoMoment as error:
        raise refuse(pointer, error.code, error.detail) from None


def flat_object(value: Any, pointer: str, notes: list[FieldError] | None = None) -> dict[str, Any]:
    """An object of strings, numbers, booleans and lists of strings; null is the empty object. Nothing nests.

    An entry that is null or too long is left out, which `notes` learn. Of `Changes`, null removes an entry.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise refuse(pointer, "not_an_object", f"Must be an object, not {_kind(value)}.")
    if len(value) > MAX_ATTRIBUTES:
        raise refuse(pointer, "too_many", f"At most {MAX_ATTRIBUTES} entries; this has {len(value)}.")
    removes = isinstance(value, Changes)
    found: dict[str, Any] = Changes() if removes else {}
    for key, entry in value.items():
        try:
            name = _attribute_name(key, pointer)
            found[name] = None if removes and entry is None else _attribute(entry, child(pointer, key))
        except FieldRefused as refused:
            if any(error.code not in _LEFT_OUT for error in refused.errors):
                raise
            if notes is not None:
                notes += [FieldError(e.pointer, e.code, f"{e.detail} It was left out.") for e in refused.errors]
    return found


_attribute_text = text(MAX_ATTRIBUTE_TEXT)
_attribute_list = words(MAX_ATTRIBUTE_LIST, MAX_ATTRIBUTE_TEXT)


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
        raise refuse(pointer, "null_attribute", "It says nothing.")
    detail = f"Must be a string, a number, a boolean or a list of strings, not {_kind(value)}."
    raise refuse(pointer, "bad_attribute", detail)


def _attribute_name(key: str, pointer: str) -> str:
    if not key or len(key) > MAX_ATTRIBUTE_NAME:
        raise refuse(pointer, "bad_name", f"Each name has 1 to {MAX_ATTRIBUTE_NAME} characters.")
    _check_storable(key, pointer)
    return key


def _check_storable(value: str, pointer: str) -> None:
    if "\x00" in value:
        raise refuse(
            pointer, "bad_character", f"Character {value.index(chr(0)) + 1} is U+0000, which no text may hold."
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        detail = f"Character {error.start + 1} is half of a surrogate pair; send valid Unicode."
        raise refuse(pointer, "bad_character", detail) from None


def child(pointer: str, name: str) -> str:
    """The JSON pointer of a member (RFC 6901); a name that cannot be shown is shown escaped."""
    shown = name.encode("utf-8", "backslashreplace").decode()[:MAX_ATTRIBUTE_NAME]
    return f"{pointer}/{shown.replace('~', '~0').replace('/', '~1')}"


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
