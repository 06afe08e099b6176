"""From a file's rows, as they stand, to rows of ours: which column is which field, by name, mapping and preset."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.errors import FieldError
from recommendations.catalog import validators
from recommendations.catalog.merging import Changes
from recommendations.catalog.schemas import MAX_ERRORS
from recommendations.catalog.validators import FieldRefused
from recommendations.imports import cells, header, mapping
from recommendations.imports.kinds import KINDS
from recommendations.imports.mapping import AS_NAMED, Meaning
from recommendations.imports.models import Import
from recommendations.imports.presets import PRESETS
from recommendations.imports.presets.base import MISSING, FilePreset, Raw, Source, first
from recommendations.imports.read_options import AS_FOUND, ReadOptions
from recommendations.imports.rows import Line, Record

# An event has at most so many items; GA4 allows 200.
MAX_ROWS_IN_ONE = 1000
_KNOWN_KEYS = 10_000
_NATIVE = FilePreset(fields={}, extra="reject")


class Plan:
    """How the rows of one file are read. Make it anew for each reading."""

    def __init__(self, kind: Import.Kind, meaning: Meaning = AS_NAMED) -> None:
        self.kind, self.meaning, self.known = kind, meaning, KINDS[kind]
        self.preset = PRESETS[meaning.preset].files[kind] if meaning.preset else _NATIVE
        self.times = mapping.times_of(meaning, kind)
        self.extra = meaning.extra or self.preset.extra
        self.loose = bool(meaning.preset or meaning.columns)
        self.sources = self._sources()
        self.defaults = dict(self.preset.defaults) | {
            name: mapping.default_value(name, value, self.known, self.times) for name, value in meaning.defaults
        }
        steps = {name: _getter(source) for name, source in self.sources.items()}
        steps |= {name: _getter(()) for name in self.defaults if name not in self.sources}
        self._steps = tuple((name, self.known.entry(name), get) for name, get in steps.items())
        self._used = self._used_columns()
        self.roles: dict[str, str] = {}

    @property
    def column_names(self) -> frozenset[str]:
        """Names that a header may have, as far as they are known: what tells a header from rows, and delimiters."""
        return self._used

    def reading(self, said: ReadOptions) -> ReadOptions:
        """How the file is to be read: what the caller says, then what the preset does."""
        preset = self.preset
        return replace(
            said,
            delimiter=said.delimiter or preset.delimiter,
            columns=said.columns or preset.columns,
            encoding=said.encoding or preset.encoding,
            quote=preset.quote if said.quote == AS_FOUND.quote else said.quote,
        )

    def table(self, names: Sequence[str]) -> Callable[[Record], Line]:
        """How a record of a table with these columns becomes a line.

        Raises: UnreadableFile, where they do not do.
        """
        header.check(self, names)
        columns = tuple(names)
        return lambda record: Line(record.number, dict(zip(columns, record.cells, strict=True)), cells=True)

    def rows(self, line: Line) -> list[Line]:
        """The rows that a row of the file is; none, where it is about nothing that is stored.

        Of a line that is no row: itself.
        """
        if line.row is None:
            return [line]
        raws = self.preset.each(line.row) if self.preset.each else [line.row]
        if len(raws) > MAX_ROWS_IN_ONE:
            detail = f"It holds {len(raws)} items; at most {MAX_ROWS_IN_ONE} are taken."
            return [Line(line.number, None, (FieldError("", "too_many", detail),))]
        read = [self._row(line, raw) for raw in raws]
        return [row for row in read if row is not None]

    def role(self, key: str) -> str:
        """What a column is: `used`, `extra`, or the name of an entry of the object field."""
        role = self.roles.get(key)
        if role is None:
            role = self._role(key)
            if len(self.roles) < _KNOWN_KEYS:
                self.roles[key] = role
        return role

    def _sources(self) -> dict[str, Source]:
        taken = {column for column, _ in self.meaning.columns}
        own: dict[str, Source] = dict(self.preset.fields) or {
            name: (name,) for name in self.known.fields if name not in taken
        }
        return own | {field: (column,) for column, field in self.meaning.columns}

    def _used_columns(self) -> frozenset[str]:
        paths = [path for source in self.sources.values() if not callable(source) for path in _paths(source)]
        taken = {column for column, _ in self.meaning.columns}
        read_only = self.known.shape.read_only if self.preset is _NATIVE else frozenset()
        tops = {path.partition(".")[0] for path in paths if "." in path and self.preset is not _NATIVE}
        return frozenset(paths) | self.preset.unused | taken | read_only | tops

    def _role(self, key: str) -> str:
        if key in self._used:
            return "used"
        return self.known.entry(key) or "extra"

    def _row(self, line: Line, raw: Raw) -> Line | None:
        row = _Row(self, raw, cells=line.cells)
        for name, entry, get in self._steps:
            value = get(raw)
            if value is not MISSING or name in self.defaults:
                row.take(name, entry, value)
        row.take_others()
        if row.is_about_nothing():
            return None
        return row.line(line.number)


def _getter(source: Source) -> Callable[[Raw], Any]:
    if callable(source):
        return source
    paths = _paths(source)
    if len(paths) == 1 and "." not in paths[0]:
        (name,) = paths
        return lambda raw: raw.get(name, MISSING)
    return lambda raw: first(raw, paths)


def _paths(source: str | tuple[str, ...]) -> tuple[str, ...]:
    return (source,) if isinstance(source, str) else source


class _Row:
    """One row on its way."""

    def __init__(self, plan: Plan, raw: Raw, *, cells: bool) -> None:
        self.plan, self.raw, self.cells = plan, raw, cells
        self.values: dict[str, Any] = {}
        self.entries = Changes()
        self.blank: set[str] = set()
        self.errors: list[FieldError] = []
        self.notes: list[FieldError] = []

    def take(self, name: str, entry: str | None, value: Any) -> None:
        """What the row says of a field, or of an entry of the object field; or its default."""
        plan = self.plan
        if value is MISSING or self._is_blank(value) or (value is None and name in plan.defaults):
            default = plan.defaults.get(name, MISSING)
            if default is MISSING:
                if value is not MISSING:
                    self._take_blank(name)
                return
            value = default
        if entry is not None:
            self.entries[entry] = cells.attribute(value, cell=self.cells)
            return
        try:
            converted = cells.convert(name, value, plan.times, loose=plan.loose)
        except FieldRefused as refused:
            self.errors += refused.errors
            return
        if name == "type" and isinstance(converted, str):
            converted = plan.preset.types.get(converted, converted)
        if name == plan.known.entries and plan.preset.fields and isinstance(converted, Mapping):
            for key, each in converted.items():
                self._extra(str(key), each)
            return
        self.values[name] = converted

    def take_others(self) -> None:
        """The columns that no field is read from."""
        roles = self.plan.roles
        for key, value in self.raw.items():
            role = roles.get(key) or self.plan.role(key)
            if role == "used":
                continue
            if role != "extra":
                self.take(f"{self.plan.known.entries}.{role}", role, value)
            elif self.plan.extra == "attributes":
                self._take_extra(key, value)
            elif self.plan.extra == "reject":
                if len(self.errors) >= MAX_ERRORS:
                    break
                detail = header.unknown(self.plan, key)
                self.errors.append(FieldError(validators.child("", key), "unknown_field", detail))

    def is_about_nothing(self) -> bool:
        """Whether nothing of it is to be stored, as the preset says."""
        preset = self.plan.preset
        kind = self.values.get("type")
        if isinstance(kind, str) and kind in preset.skipped:
            return True
        return any(self.values.get(name) in (None, "") for name in preset.needs)

    def line(self, number: int) -> Line:
        """What came of it."""
        if self.errors:
            return Line(number, None, tuple(self.errors))
        row, entries = self.values, self.plan.known.entries
        if self.entries:
            whole = row.get(entries)
            if isinstance(whole, Mapping) or self.plan.kind == Import.Kind.EVENTS:
                given = {name: value for name, value in self.entries.items() if value is not None}
                row[entries] = {**(whole or {}), **given}
            else:
                row[entries] = self.entries
        return Line(number, row, blank=frozenset(self.blank), notes=tuple(self.notes))

    def _is_blank(self, value: Any) -> bool:
        return self.cells and cells.is_blank(value)

    def _take_blank(self, name: str) -> None:
        """An empty cell: of a required field it is as good as none, of others it empties the field."""
        if name not in self.plan.known.required:
            self.blank.add(name)

    def _take_extra(self, key: str, value: Any) -> None:
        if self._is_blank(value):
            self.blank.add(f"{self.plan.known.entries}.{key}")
        else:
            self._extra(key, cells.attribute(value, cell=self.cells))

    def _extra(self, key: str, value: Any) -> None:
        """An entry that nobody named: what cannot be one is left out."""
        plain = _plain(value)
        if plain is MISSING:
            pointer = validators.child(f"/{self.plan.known.entries}", key)
            detail = "It is no text, number, boolean or list of them. It was left out."
            self.notes.append(FieldError(pointer, "bad_attribute", detail))
            return
        self.entries[key] = plain


def _plain(value: Any) -> Any:
    """A value as an attribute may be; MISSING for one that nests."""
    if isinstance(value, list):
        texts = [str(each) for each in value if isinstance(each, str | int | float) and each != ""]
        return texts if len(texts) == len([each for each in value if each not in (None, "")]) else MISSING
    if isinstance(value, Mapping) or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > validators.MAX_INTEGER:
        return str(value)
    return value
