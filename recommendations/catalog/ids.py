"""The tenant's own ids of items and end users: what may be one, and what is wrong with what may not."""

import re

from core.errors import FieldError

MAX_LENGTH = 128
PUNCTUATION = ".-_~:@+=,!$'()*"
# `batch` is a route of its own; `.` and `..` are resolved away by HTTP clients (RFC 3986, section 5.2.4).
RESERVED = frozenset({".", "..", "batch"})
_VALID = re.compile(r"[A-Za-z0-9._\-~:@+=,!$'()*]{1,128}\Z")


def refusal(value: object, pointer: str) -> FieldError | None:
    """Why `value` may not be an id, or None when it may. `pointer` says where it stood."""
    if not isinstance(value, str):
        return FieldError(pointer, "not_a_string", "An id must be a string; put a number in quotation marks.")
    if _VALID.match(value):
        if value in RESERVED:
            return FieldError(pointer, "reserved_id", f"The id '{value}' is reserved; choose another.")
        return None
    if not value:
        return FieldError(pointer, "required", "An id must have at least one character.")
    if len(value) > MAX_LENGTH:
        return FieldError(pointer, "too_long", f"An id has at most {MAX_LENGTH} characters; this has {len(value)}.")
    position, character = next((i, c) for i, c in enumerate(value) if not _VALID.match(c))
    return FieldError(
        pointer,
        "bad_character",
        f"Character {position + 1} of the id is {_name(character)}; allowed are A-Z a-z 0-9 and {PUNCTUATION}",
    )


def _name(character: str) -> str:
    if character == " ":
        return "a blank"
    return f"'{character}'" if character.isprintable() else f"U+{ord(character):04X}"
