"""Rows that say only some fields: put onto earlier rows of the same id, and onto what is stored.

A field that a row does not name stays as it is; one that it names holds, also when it is empty.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]


class Changes(dict[str, Any]):
    """Single entries of an object field, such as of `attributes`: the named ones are set, those at None removed."""


def merged(earlier: Row, later: Row) -> dict[str, Any]:
    """Both rows in one; where both name a field, the later one holds."""
    return {**earlier, **{name: _onto(earlier.get(name), value) for name, value in later.items()}}


def completed(stored: Row, row: Row) -> dict[str, Any]:
    """The stored values with those of the row: nothing is left to be changed."""
    return {name: _plain(value) for name, value in merged(stored, row).items()}


def emptied(before: Row, after: Row) -> tuple[str, ...]:
    """The fields that held something and hold nothing any more. Of an object, also when a single entry is gone."""
    return tuple(name for name, value in after.items() if _is_emptied(before.get(name), value))


def by_key(rows: Iterable[Row], key: str) -> dict[str, dict[str, Any]]:
    """One row for each id, the later ones put onto the earlier."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found[row[key]] = merged(found.get(row[key], {}), row)
    return found


def _onto(earlier: Any, value: Any) -> Any:
    if not isinstance(value, Changes) or earlier is None:
        return value
    if isinstance(earlier, Changes):
        return Changes(earlier | value)
    return _plain(earlier | value)


def _plain(value: Any) -> Any:
    """An object without entries that are to be removed."""
    return {name: entry for name, entry in value.items() if entry is not None} if isinstance(value, dict) else value


def _is_emptied(before: Any, after: Any) -> bool:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return bool(before) and (not after or (len(after) < len(before) and after.keys() < before.keys()))
    return not isinstance(before, bool) and bool(before) and not after
