"""Parser of untrusted JSON: bounded in memory and time, not only in bytes, and unambiguous.

`{"":0}` is six bytes of text and two hundred of memory. Values, objects and depth are therefore counted in the bytes
before anything is built.
"""

import codecs
import json
import re
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInput

MAX_DEPTH = 20
MAX_DIGITS = 400
_SHOWN = 60
# What stands between two signs of structure; a text that never ends goes to the end. Possessive: no byte is looked at
# twice, whatever the body.
_BETWEEN = rb'(?:[^%b"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z))*+([%b]|\Z)'
_BRACKETS = re.compile(_BETWEEN % (rb"\[\]{}", rb"\[\]{}"), re.DOTALL)
_SIGNS = re.compile(_BETWEEN % (rb"\[\]{},", rb"\[\]{},"), re.DOTALL)
_UTF16_OR_32 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class BadJSON(InvalidInput):
    """The body is not unambiguous JSON."""

    code = "bad_json"
    title = "The body cannot be read"


class BodyTooLarge(InvalidInput):
    """The body is larger, or holds more values, than the operation accepts."""

    code = "too_large"
    title = "The body is too large"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest number of values (list entries and object members), and of lists and objects among them."""

    values: int
    containers: int

    @classmethod
    def for_body_size(cls, max_bytes: int) -> "Bounds":
        """Returns the bounds for a body size: a value for each 32 bytes, a list or an object for each 128."""
        return cls(values=max_bytes // 32, containers=max_bytes // 128)


def parse(body: bytes, bounds: Bounds) -> Any:
    """Returns the value of the body. A byte order mark is ignored (RFC 8259, section 8.1, allows that).

    Raises: BadJSON for what is not UTF-8 or not JSON, is nested too deeply, names a member twice, or holds a number
    of hundreds of digits; BodyTooLarge for more than the bounds allow.
    """
    if body.startswith(_UTF16_OR_32):
        raise BadJSON("The body is UTF-16 or UTF-32. Send JSON in UTF-8.")
    _check(body, bounds)
    try:
        return _DECODER.decode(_decoded(body))
    except json.JSONDecodeError as error:
        detail = f"{error.msg}: line {error.lineno}, column {error.colno}."
        raise BadJSON(f"The body is not JSON. {detail}") from None


def _decoded(body: bytes) -> str:
    try:
        return body.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        raise BadJSON(f"The body is not UTF-8: byte {error.start + 1} is 0x{body[error.start]:02x}.") from None


def _check(body: bytes, bounds: Bounds) -> None:
    """Raises: BodyTooLarge, BadJSON. Counts tell small bodies good; texts may hold signs of their own."""
    opened = body.count(b"[") + body.count(b"{")
    # Each value opens a list or an object, or follows one or a comma.
    crowded = opened > bounds.containers or opened + body.count(b",") >= bounds.values
    if not crowded and opened <= MAX_DEPTH:
        return
    depth = opened = values = 0
    for found in (_SIGNS if crowded else _BRACKETS).finditer(body):
        sign = found[1]
        if sign in (b"]", b"}"):
            depth -= 1
            continue
        values += 1
        if sign in (b"[", b"{"):
            depth += 1
            opened += 1
        if depth > MAX_DEPTH:
            raise BadJSON(f"The body is nested too deeply: at most {MAX_DEPTH} levels.")
        if opened > bounds.containers:
            raise _too_much("lists and objects", bounds.containers)
        if values > bounds.values:
            raise _too_much("values", bounds.values)


def _too_much(what: str, most: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body has more than {most:,} {what}, the limit for one request. Send it in parts.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of a name that stands twice, readers of JSON take the first, the last, or neither (RFC 8259, section 4)."""
    made = dict(pairs)
    if len(made) < len(pairs):
        # Names keep the order in which they first came: where both part, the second of one stands.
        again = (name for (name, _), first in zip(pairs, made, strict=False) if name != first)
        name = next(again, pairs[len(made)][0])
        shown = _shown(name)
        raise BadJSON(f"An object names {shown} more than once. Send each name once.")
    return made


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise BadJSON(f"A number has {len(digits):,} digits; at most {MAX_DIGITS} are read.")
    return int(digits)


def _constant(name: str) -> Any:
    raise BadJSON(f"{name} is not JSON. Leave the value out, or send null.")


def _shown(name: str) -> str:
    shown = json.dumps(name)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole, parse_constant=_constant)
