"""From a cell, or a value of JSON, to what a field's reader takes.

A text means in JSON what it means in a cell: lists by `|` or as JSON, numbers and times in digits. Readers
(catalog.shapes, interactions.event) judge the rest.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from recommendations.catalog import validators
from recommendations.catalog.timestamps import NoMoment
from recommendations.catalog.validators import refuse
from recommendations.imports.time_parsing import Times

# How programs write a value that is not there. In a cell, not in JSON, which has null.
NOTHING = frozenset({"nan", "NaN", "None", "null", "NULL", "\\N", "<NA>"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\Z", re.ASCII)
# What a spreadsheet's cell says of an attribute: no leading zeros, as of post codes, and no more than a double holds.
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?\Z", re.ASCII)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_WORDS = {"true": True, "false": False}

Converter = Callable[[Any, str, Times], Any]


def is_blank(cell: Any) -> bool:
    """Whether a cell says nothing."""
    return isinstance(cell, str) and (not cell.strip() or cell in NOTHING)


def convert(field: str, value: Any, times: Times, *, loose: bool = False) -> Any:
    """The value for a field. With `loose`, whole numbers are ids and numbers texts, as other systems write them.

    Raises: FieldRefused.
    """
    pointer = f"/{field}"
    convert_one = _CONVERTERS.get(field)
    if convert_one is not None:
        return convert_one(value, pointer, times)
    if loose and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value) if isinstance(value, int) or field not in IDS else value
    return value


def attribute(value: Any, *, cell: bool) -> Any:
    """An attribute by itself: of a cell, numbers, true and false are what they look like, and the rest is text."""
    if not cell or not isinstance(value, str):
        return value
    text = value.strip()
    if _PLAIN_NUMBER.match(text):
        return float(text) if "." in text else int(text)
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if text.startswith("["):
        read = load(text)
        if isinstance(read, list):
            return read
    return value


def load(text: str) -> Any:
    """What the text says as JSON; None for what is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def split(text: str, separator: str = "|") -> list[str]:
    """The entries of a cell; blank ones are none."""
    return [part for part in map(str.strip, text.split(separator)) if part]


def _list(value: Any, pointer: str, _times: Times) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        read = load(text)
        if isinstance(read, list):
            return read
    if text.startswith(("[", "{")):
        detail = "It looks like a list: separate the entries by |, as in Drama|Comedy, or write a JSON list of strings."
        raise refuse(pointer, "bad_cell", detail)
    return [part for part in split(text) if part not in NOTHING]


def _object(value: Any, pointer: str, _times: Times) -> Any:
    if not isinstance(value, str):
        return value
    read = load(value)
    if not isinstance(read, Mapping):
        name = pointer.removeprefix("/")
        raise refuse(
            pointer, "bad_cell", f"Must be a JSON object. A column can be one entry: {name}.price, for example."
        )
    return read


def _boolean(value: Any, pointer: str, _times: Times) -> Any:
    if not isinstance(value, str):
        return value
    if value.strip().lower() not in _BOOLEANS:
        raise refuse(pointer, "bad_cell", "Must be true or false.")
    return _BOOLEANS[value.strip().lower()]


def _number(value: Any, pointer: str, _times: Times) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    number = float(text) if _NUMBER.match(text) else math.nan
    if not math.isfinite(number):
        comma = " Write a point, not a comma, before its decimals." if re.fullmatch(r"-?\d+,\d+", text) else ""
        raise refuse(pointer, "bad_cell", f"Must be a number.{comma}")
    return number


def _time(value: Any, pointer: str, times: Times) -> Any:
    try:
        return times.read(value)
    except NoMoment as error:
        raise refuse(pointer, error.code, error.detail) from None


def _window(value: Any, pointer: str, times: Times) -> Any:
    """As `_time`, but Unix seconds become a timestamp."""
    read = _time(value, pointer, times)
    if isinstance(read, int | float) and not isinstance(read, bool):
        moment = validators.occurrence(read, pointer)
        return None if moment is None else moment.isoformat()
    return read


def _type(value: Any, _pointer: str, _times: Times) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


IDS = frozenset({"item_id", "user_id"})
_CONVERTERS: Mapping[str, Converter] = {
    "categories": _list,
    "segments": _list,
    "attributes": _object,
    "context": _object,
    "hidden": _boolean,
    "value": _number,
    "occurred_at": _time,
    "available_from": _window,
    "available_until": _window,
    "type": _type,
}
