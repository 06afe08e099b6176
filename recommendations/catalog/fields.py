"""Readers of single fields: what JSON or a table's cell holds, as a checked Python value, or a clear refusal.

Everything that comes out can be stored: no NUL, no lone surrogate, no number that a double cannot hold.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from core.errors import FieldError
from recommendations.catalog import ids

Reader = Callable[[Any, str], Any]

MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_NAME = 128
MAX_ATTRIBUTE_TEXT = 1000
MAX_ATTRIBUTE_LIST = 100
# Beyond it a double skips whole numbers, so that readers of JSON disagree about the value (RFC 7493, section 2.2).
MAX_INTEGER = 2**53
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})\Z", re.ASCII)


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
    if error := ids.refusal(value, pointer):
        raise FieldRefused(error)
    return str(value)


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
    if not _RFC3339.match(value):
        raise refuse(
            pointer, "not_a_timestamp", "Must be an RFC 3339 timestamp with its offset, such as 2026-03-01T08:30:00Z."
        )
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise refuse(pointer, "not_a_timestamp", "There is no such date or time.") from None


def flat_object(value: Any, pointer: str) -> dict[str, Any]:
    """An object of strings, numbers, booleans and lists of strings; null is the empty object. Nothing nests."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise refuse(pointer, "not_an_object", f"Must be an object, not {_kind(value)}.")
    if len(value) > MAX_ATTRIBUTES:
        raise refuse(pointer, "too_many", f"At most {MAX_ATTRIBUTES} entries; this has {len(value)}.")
    return {_attribute_name(key, pointer): _attribute(entry, child(pointer, key)) for key, entry in value.items()}


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
