"""Conversion of cells and JSON values to what the readers of fields accept.

Strings mean the same in JSON as in cells: lists separated by `|` or as JSON, numbers and times in digits. The readers
(`catalog.schemas`, `interactions.event_schema`) check the rest.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from recommendations.catalog import validators
from recommendations.catalog.timestamps import InvalidTime
from recommendations.catalog.validators import refusal
from recommendations.imports.mapping.time_parsing import TimeFormat

# Missing values as programs write them into cells. JSON has null.
MISSING_VALUES = frozenset({"nan", "NaN", "None", "null", "NULL", "\\N", "<NA>"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?\Z", re.ASCII)
# Numbers in attribute cells: without leading zeros, which post codes have, and with no more digits than a double.
_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?\Z", re.ASCII)
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_WORDS = {"true": True, "false": False}

Converter = Callable[[Any, str, TimeFormat], Any]


def is_blank(cell: Any) -> bool:
    """True for a cell without a value."""
    return isinstance(cell, str) and (not cell.strip() or cell in MISSING_VALUES)


def convert(field: str, value: Any, times: TimeFormat, *, loose: bool = False) -> Any:
    """Converts a value for a field. With `loose`, integers may be ids and numbers may be texts, as in other systems.

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
    """Converts a single attribute: cells that look like numbers or booleans become such, others stay text."""
    if not cell or not isinstance(value, str):
        return value
    text = value.strip()
    if _PLAIN_NUMBER.match(text):
        return float(text) if "." in text else int(text)
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if text.startswith("["):
        read = parse_json(text)
        if isinstance(read, list):
            return read
    return value


def parse_json(text: str) -> Any:
    """Parses JSON; None if it is invalid."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def split(text: str, separator: str = "|") -> list[str]:
    """The non-blank entries of a cell."""
    return [part for part in map(str.strip, text.split(separator)) if part]


def _list(value: Any, pointer: str, _times: TimeFormat) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        read = parse_json(text)
        if isinstance(read, list):
            return read
    if text.startswith(("[", "{")):
        detail = "Looks like a list: separate entries by |, as in Drama|Comedy, or use a JSON list of strings."
        raise refusal(pointer, "bad_cell", detail)
    return [part for part in split(text) if part not in MISSING_VALUES]


def _object(value: Any, pointer: str, _times: TimeFormat) -> Any:
    if not isinstance(value, str):
        return value
    read = parse_json(value)
    if not isinstance(read, Mapping):
        name = pointer.removeprefix("/")
        raise refusal(
            pointer, "bad_cell", f"Must be a JSON object. Single entries can have columns, such as {name}.price."
        )
    return read


def _boolean(value: Any, pointer: str, _times: TimeFormat) -> Any:
    if not isinstance(value, str):
        return value
    if value.strip().lower() not in _BOOLEANS:
        raise refusal(pointer, "bad_cell", "Must be true or false.")
    return _BOOLEANS[value.strip().lower()]


def _number(value: Any, pointer: str, _times: TimeFormat) -> Any:
    if not isinstance(value, str):
        return value
    text = value.strip()
    number = float(text) if _NUMBER.match(text) else math.nan
    if not math.isfinite(number):
        comma = " Use a decimal point, not a comma." if re.fullmatch(r"-?\d+,\d+", text) else ""
        raise refusal(pointer, "bad_cell", f"Must be a number.{comma}")
    return number


def _time(value: Any, pointer: str, times: TimeFormat) -> Any:
    try:
        return times.read(value)
    except InvalidTime as error:
        raise refusal(pointer, error.code, error.detail) from None


def _window(value: Any, pointer: str, times: TimeFormat) -> Any:
    """Converts a time; Unix seconds become a timestamp."""
    read = _time(value, pointer, times)
    if isinstance(read, int | float) and not isinstance(read, bool):
        moment = validators.event_time(read, pointer)
        return None if moment is None else moment.isoformat()
    return read


def _type(value: Any, _pointer: str, _times: TimeFormat) -> Any:
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
