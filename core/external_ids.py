"""External ids: the tenant's own ids of items and users, their validation and display.

Any text of 1 to 128 characters without control characters and without white space at its ends, in any script. An id is
compared code point by code point, never normalised, and comes back as it was sent.
"""

import re
from urllib.parse import quote

from core.errors import FieldError

MAX_LENGTH = 128  # Unicode code points
# `batch` is a route of its own; `.` and `..` are resolved away by HTTP clients (RFC 3986, section 5.2.4).
RESERVED = frozenset({".", "..", "batch"})
# Path segments after an id. Some servers do not distinguish `a%2Fsimilar` from `a/similar`, so no id may end so.
SUB_RESOURCES = frozenset(
    {"export", "frequently-bought-together", "merge", "rank", "recommendations", "related", "similar"}
)
# Understood alike by Python, ECMAScript, Java and RE2.
PATTERN = r"^[^\s\x00-\x1F\x7F-\x9F]([^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F])?$"
DESCRIPTION = (
    "Your own id: any text without control characters and without white space at its ends, but not `.`, `..`, `batch`, "
    "nor one that ends in a slash and the name of a sub-resource. Percent-encoded in a path, `/` as `%2F`."
)
# Control characters, and halves of surrogate pairs, which no encoding can hold.
_BAD = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_BYTE_ORDER_MARK = "\ufeff"  # white space to JavaScript; left over from the beginning of a file
# Texts that programs write for an empty variable, and placeholders for an anonymous user.
_PLACEHOLDERS = frozenset(
    [
        "null",
        "undefined",
        "nan",
        "none",
        "nil",
        "void",
        "(null)",
        "<null>",
        "[null]",
        "(none)",
        "[undefined]",
        "n/a",
        "#n/a",
        "not set",
        "(not set)",
        "true",
        "false",
        "{}",
        "[]",
        "()",
        '""',
        "''",
        "[object object]",
        "[object undefined]",
        "[object null]",
        "[object promise]",
        "[object htmlinputelement]",
        "anonymous",
        "anon",
        "guest",
        "unknown",
        "user_id",
        "userid",
        "user-id",
        "distinct_id",
        "00000000-0000-0000-0000-000000000000",
    ]
)
# `{{user_id}}`, `${userId}`, `{userId}`, `<%= id %>`, `%s`, `:user_id`: an unfilled template.
_UNFILLED = re.compile(r"\{\{.*\}\}|[$#]?\{[\w\s.\-]*\}|<%.*%>|%[sd]|%\(\w+\)s|:(user_?)?id|\$\w+", re.IGNORECASE)


def find_error(value: object, pointer: str) -> FieldError | None:
    """Returns the error of an invalid id, or None. `pointer` is its place in the input."""
    if not isinstance(value, str):
        return FieldError(pointer, "not_a_string", "An id must be a string; put a number in quotation marks.")
    if not value:
        return FieldError(pointer, "required", "An id must have at least one character.")
    if len(value) > MAX_LENGTH:
        return FieldError(pointer, "too_long", f"An id has at most {MAX_LENGTH} characters; this has {len(value)}.")
    if match := _BAD.search(value):
        detail = f"Character {match.start() + 1} of the id is {_name(match[0])}, which no id may hold."
        return FieldError(pointer, "bad_character", detail)
    if (outer := _outer(value)) is not None:
        detail = f"The id {outer}, which is hard to see; cut it off."
        return FieldError(pointer, "surrounding_space", detail)
    if value in RESERVED:
        return FieldError(pointer, "reserved_id", f"The id '{value}' is reserved; choose another.")
    _, slash, tail = value.rpartition("/")
    if slash and tail in SUB_RESOURCES:
        detail = f"An id may not end in '/{tail}', which is a sub-resource in paths; choose another."
        return FieldError(pointer, "reserved_id", detail)
    return None


def find_placeholder(value: str, pointer: str) -> FieldError | None:
    """Returns the error of an id that is most likely a bug in the caller's program: a placeholder, or None.

    Such ids are valid, except in operations that cannot be undone.
    """
    normalized = value.strip().casefold()
    if normalized in _PLACEHOLDERS or _UNFILLED.fullmatch(normalized):
        detail = (
            f"'{printable(value)}' looks like an empty variable, not like an id, and this cannot be "
            "undone. Check what your program sends."
        )
        return FieldError(pointer, "suspicious_id", detail)
    return None


def printable(value: str) -> str:
    """Returns the id for display: invisible characters and direction marks are escaped."""
    return "".join(character if character.isprintable() else _escaped(character) for character in value)


def path_segment(value: str) -> str:
    """Returns the id as one path segment, percent-encoded (RFC 3986)."""
    return quote(value, safe="")


def _outer(value: str) -> str | None:
    if value[0].isspace() or value[0] == _BYTE_ORDER_MARK:
        return f"begins with {_name(value[0])}"
    if value[-1].isspace() or value[-1] == _BYTE_ORDER_MARK:
        return f"ends with {_name(value[-1])}"
    return None


def _name(character: str) -> str:
    if character == " ":
        return "a blank"
    if character == _BYTE_ORDER_MARK:
        return "a byte order mark (U+FEFF)"
    return f"U+{ord(character):04X}"


def _escaped(character: str) -> str:
    return f"\\u{{{ord(character):X}}}"
