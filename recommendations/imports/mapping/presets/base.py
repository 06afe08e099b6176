"""Presets: how to read the files of other systems."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Raw = Mapping[str, Any]
Extra = Literal["attributes", "ignore", "reject"]
# A column, the first of several columns with a value (dots address nested objects), or a function of the row.
Source = str | tuple[str, ...] | Callable[[Raw], Any]


class _Missing:
    """Marks a field without a value."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class FilePreset:
    """The mapping of one kind of file of another system.

    Attributes:
        fields: The source of each field, also of `attributes.NAME`.
        defaults: Values of fields that a row lacks.
        types: Event types by the other system's names, in lower case.
        skipped: Types of events that are not about an item.
        each: Splits a row into several, such as the items of an order.
        needs: Fields without which a row is skipped.
        extra: The handling of unmapped columns.
        unused: Columns that are ignored, or read by functions.
        unit: The unit of numeric times.
        zone: The time zone of times without an offset.
        delimiter: The delimiter of tables; None to detect it.
        columns: Names of columns, for tables without a header.
        encoding: The encoding; None to detect it.
        quote: The quotation mark around cells; "" for none.
    """

    fields: Mapping[str, Source]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()
    each: Callable[[Raw], Sequence[Raw]] | None = None
    needs: tuple[str, ...] = ()
    extra: Extra = "attributes"
    unused: frozenset[str] = frozenset()
    unit: str = "seconds"
    zone: str | None = None
    delimiter: str | None = None
    columns: tuple[str, ...] = ()
    encoding: str | None = None
    quote: str = '"'


@dataclass(frozen=True, slots=True)
class Preset:
    """The files of another system, by kind (items, users, events)."""

    name: str
    title: str
    files: Mapping[str, FilePreset]


def find(raw: Raw, path: str) -> Any:
    """The value of a column or at a dotted path, or MISSING."""
    if path in raw:
        return raw[path]
    value: Any = raw
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return MISSING
        value = value[name]
    return value


def first(raw: Raw, paths: Sequence[str]) -> Any:
    """The first non-empty value of the columns; else an empty one, if there is any; else MISSING."""
    empty: Any = MISSING
    for path in paths:
        value = find(raw, path)
        if value is not MISSING and value is not None and value != "":
            return value
        if empty is MISSING:
            empty = value
    return empty


def joined(*paths: str, separator: str = "|") -> Callable[[Raw], Any]:
    """A source that concatenates the lists of several columns, splitting texts."""

    def read(raw: Raw) -> Any:
        values = [value for path in paths if (value := find(raw, path)) is not MISSING]
        return list(dict.fromkeys(_entries(values, separator))) if values else MISSING

    return read


def is_true(*paths: str, negated: bool = False) -> Callable[[Raw], Any]:
    """A source that reads booleans as other systems write them; `negated` inverts them."""

    def read(raw: Raw) -> Any:
        value = first(raw, paths)
        if value is MISSING or value in (None, ""):
            return MISSING
        if not isinstance(value, str | int | float):
            return value
        is_yes = str(value).strip().lower() in ("true", "1", "yes", "y", "t")
        return is_yes is not negated

    return read


def _entries(values: Sequence[Any], separator: str) -> Iterator[str]:
    for value in values:
        parts = value.split(separator) if isinstance(value, str) else value
        for part in parts if isinstance(parts, list) else [parts]:
            if isinstance(part, str | int | float) and (text := str(part).strip()):
                yield text
