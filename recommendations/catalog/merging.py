"""Merging of partial rows with earlier rows of the same id and with what is stored.

A field that a row does not name stays as it is; a field that it names is set, even to an empty value.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]


class Changes(dict[str, Any]):
    """Changes of single entries of an object field such as `attributes`; entries set to None are removed."""


def merge_rows(earlier: Row, later: Row) -> dict[str, Any]:
    """Merges two rows; fields of the later one take precedence."""
    return {**earlier, **{name: _merge_value(earlier.get(name), value) for name, value in later.items()}}


def complete_row(stored: Row, row: Row) -> dict[str, Any]:
    """The full row: stored values, changed as the row says."""
    return {name: _without_removed(value) for name, value in merge_rows(stored, row).items()}


def emptied_fields(before: Row, after: Row) -> tuple[str, ...]:
    """Names of fields that had a value and have none now, or that are objects and lost an entry."""
    return tuple(name for name, value in after.items() if _is_emptied(before.get(name), value))


def merge_by_key(rows: Iterable[Row], key: str) -> dict[str, dict[str, Any]]:
    """One row per id; later rows are merged into earlier ones."""
    by_id: dict[str, dict[str, Any]] = {}
    for row in rows:
        by_id[row[key]] = merge_rows(by_id.get(row[key], {}), row)
    return by_id


def _merge_value(earlier: Any, value: Any) -> Any:
    if not isinstance(value, Changes) or earlier is None:
        return value
    if isinstance(earlier, Changes):
        return Changes(earlier | value)
    return _without_removed(earlier | value)


def _without_removed(value: Any) -> Any:
    """Drops the entries of an object that are to be removed."""
    return {name: entry for name, entry in value.items() if entry is not None} if isinstance(value, dict) else value


def _is_emptied(before: Any, after: Any) -> bool:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return bool(before) and (not after or (len(after) < len(before) and after.keys() < before.keys()))
    return not isinstance(before, bool) and bool(before) and not after
