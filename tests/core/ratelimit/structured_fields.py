"""A strict parser for what RFC 9651 calls a List of Items with parameters, written from section 4.2."""

import re
from typing import Any

_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*")
_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")


class Malformed(Exception):
    """Not a structured field: the whole header must be ignored."""


def parse_list(text: str) -> list[tuple[Any, dict[str, Any]]]:
    """Items in order, each a bare item and its parameters.

    Raises: Malformed.
    """
    position, found = _spaces(text, 0), []
    while position < len(text):
        item, position = _bare_item(text, position)
        parameters, position = _parameters(text, position)
        found.append((item, parameters))
        position = _whitespace(text, position)
        if position == len(text):
            return found
        if text[position] != ",":
            raise Malformed(f"a comma expected at {position}: {text!r}")
        position = _whitespace(text, position + 1)
        if position == len(text):
            raise Malformed("a comma at the end")
    return found


def _parameters(text: str, position: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while position < len(text) and text[position] == ";":
        position = _spaces(text, position + 1)
        key = _KEY.match(text, position)
        if not key:
            raise Malformed(f"a key expected at {position}: {text!r}")
        position, value = key.end(), True
        if position < len(text) and text[position] == "=":
            value, position = _bare_item(text, position + 1)
        found[key.group()] = value
    return found, position


def _bare_item(text: str, position: int) -> tuple[Any, int]:
    if match := _STRING.match(text, position):
        return re.sub(r"\\(.)", r"\1", match.group(1)), match.end()
    if match := _INTEGER.match(text, position):
        return int(match.group()), match.end()
    if match := _TOKEN.match(text, position):
        return match, match.end()  # a token is no string: never equal to one
    raise Malformed(f"an item expected at {position}: {text!r}")


def _spaces(text: str, position: int) -> int:
    while position < len(text) and text[position] == " ":
        position += 1
    return position


def _whitespace(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t":
        position += 1
    return position
