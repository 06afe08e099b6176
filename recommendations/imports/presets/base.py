"""What a preset says of another system's files."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Raw = Mapping[str, Any]
Extra = Literal["attributes", "ignore", "reject"]
# A column (or the first of several that has a value; dots go into objects), or what a function makes of the row.
Source = str | tuple[str, ...] | Callable[[Raw], Any]


class _Missing:
    """The row says nothing of a field."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class FilePreset:
    """How one kind of file of another system becomes rows.

    `fields`: where each field is found, also `attributes.NAME`. `defaults`: where the row has none. `types`: its words
    for events, in lower case, in ours. `skipped`: events that are about no item in particular. `each`: the rows in one
    row, as the items of an order; of those without `needs`, nothing is stored. `unused`: columns that say nothing or
    that functions look at. `unit` and `zone`: of times that say neither. `delimiter`, `columns`, `encoding`, `quote`:
    of tables that do not say it themselves.
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
    """A column's value, or what stands at the end of a path with dots; MISSING."""
    if path in raw:
        return raw[path]
    value: Any = raw
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return MISSING
        value = value[name]
    return value


def first(raw: Raw, paths: Sequence[str]) -> Any:
    """The first of the columns that says something; else an empty one, if there is any; else MISSING."""
    found: Any = MISSING
    for path in paths:
        value = find(raw, path)
        if value is not MISSING and value is not None and value != "":
            return value
        if found is MISSING:
            found = value
    return found


def joined(*paths: str, separator: str = "|") -> Callable[[Raw], Any]:
    """A source that puts the lists in several columns together, each text split."""

    def read(raw: Raw) -> Any:
        values = [value for path in paths if (value := find(raw, path)) is not MISSING]
        return list(dict.fromkeys(_entries(values, separator))) if values else MISSING

    return read


def is_true(*paths: str, turned: bool = False) -> Callable[[Raw], Any]:
    """A source that reads yes and no, as other systems write them; `turned`, the other way round."""

    def read(raw: Raw) -> Any:
        value = first(raw, paths)
        if value is MISSING or value in (None, ""):
            return MISSING
        if not isinstance(value, str | int | float):
            return value
        said = str(value).strip().lower() in ("true", "1", "yes", "y", "t")
        return said is not turned

    return read


def _entries(values: Sequence[Any], separator: str) -> Iterator[str]:
    for value in values:
        parts = value.split(separator) if isinstance(value, str) else value
        for part in parts if isinstance(parts, list) else [parts]:
            if isinstance(part, str | int | float) and (text := str(part).strip()):
                yield text
