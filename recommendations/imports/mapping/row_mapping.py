"""Mapping of raw rows to fields, by column names, the caller's mapping, and presets."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.errors import FieldError
from recommendations.catalog import validators
from recommendations.catalog.merging import Changes
from recommendations.catalog.schemas import MAX_ERRORS
from recommendations.catalog.validators import FieldRefused
from recommendations.imports.formats.read_options import AS_FOUND, ReadOptions
from recommendations.imports.formats.rows import Line, Record
from recommendations.imports.mapping import cells, column_check, column_mapping, plain_events
from recommendations.imports.mapping.column_mapping import AS_NAMED, ColumnMapping
from recommendations.imports.mapping.kinds import KINDS
from recommendations.imports.mapping.presets import PRESETS
from recommendations.imports.mapping.presets.base import MISSING, FilePreset, Raw, Source, first
from recommendations.imports.models import Import

# The maximum number of items of one event; GA4 allows 200.
MAX_ITEMS_PER_ROW = 1000
_MAX_CACHED_ROLES = 10_000
_NATIVE = FilePreset(fields={}, extra="reject")


class RowMapping:
    """The mapping of the rows of one file. Make a new one for each read."""

    def __init__(self, kind: Import.Kind, meaning: ColumnMapping = AS_NAMED) -> None:
        self.kind, self.meaning, self.known = kind, meaning, KINDS[kind]
        self.preset = PRESETS[meaning.preset].files[kind] if meaning.preset else _NATIVE
        self.times = column_mapping.times_of(meaning, kind)
        self.extra = meaning.extra or self.preset.extra
        self.loose = bool(meaning.preset or meaning.columns)
        self.sources = self._sources()
        self.defaults = dict(self.preset.defaults) | {
            name: column_mapping.default_value(name, value, self.known, self.times) for name, value in meaning.defaults
        }
        steps = {name: _getter(source) for name, source in self.sources.items()}
        steps |= {name: _getter(()) for name in self.defaults if name not in self.sources}
        self._steps = tuple((name, self.known.entry(name), get) for name, get in steps.items())
        self._used = self._used_columns()
        self.roles: dict[str, str] = {}

    @property
    def is_native(self) -> bool:
        """True if no preset translates the rows."""
        return self.preset is _NATIVE

    @property
    def column_names(self) -> frozenset[str]:
        """Known names of columns, by which headers and delimiters are detected."""
        return self._used

    def read_options(self, given: ReadOptions) -> ReadOptions:
        """The caller's options, completed by those of the preset."""
        preset = self.preset
        return replace(
            given,
            delimiter=given.delimiter or preset.delimiter,
            columns=given.columns or preset.columns,
            encoding=given.encoding or preset.encoding,
            quote=preset.quote if given.quote == AS_FOUND.quote else given.quote,
        )

    def table(self, names: Sequence[str]) -> Callable[[Record], Line]:
        """Makes a function from records of a table with these columns to lines.

        Raises: UnreadableFile for unusable columns.
        """
        column_check.check_columns(self, names)
        columns = tuple(names)
        return lambda record: Line(record.number, dict(zip(columns, record.cells, strict=True)), cells=True)

    def checked_table(self, names: Sequence[str]) -> Callable[[Record], Line]:
        """As `table`, but usual records are read and checked at once (`plain_events`).

        Raises: UnreadableFile for unusable columns.
        """
        general = self.table(names)
        read = plain_events.plain_reader(self, names)
        if read is None:
            return general

        def line(record: Record) -> Line:
            value = read(record)
            return general(record) if value is None else Line(record.number, None, value=value)

        return line

    def block_table(self, names: Sequence[str]) -> plain_events.BlockReader | None:
        """A reader of many usual records at once; None if this mapping has none."""
        return plain_events.block_reader(self, names)

    def rows(self, line: Line) -> list[Line]:
        """The rows of a line: several for an order, none if the preset skips it, itself if it has errors."""
        if line.row is None:
            return [line]
        raws = self.preset.each(line.row) if self.preset.each else [line.row]
        if len(raws) > MAX_ITEMS_PER_ROW:
            detail = f"It has {len(raws)} items; at most {MAX_ITEMS_PER_ROW} are supported."
            return [Line(line.number, None, (FieldError("", "too_many", detail),))]
        read = [self._row(line, raw) for raw in raws]
        return [row for row in read if row is not None]

    def role(self, key: str) -> str:
        """The role of a column: `used`, `extra`, or the name of an entry of the object field."""
        role = self.roles.get(key)
        if role is None:
            role = self._role(key)
            if len(self.roles) < _MAX_CACHED_ROLES:
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
                row.set_field(name, entry, value)
        row.set_others()
        if row.is_skipped():
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
    """A row while it is mapped."""

    def __init__(self, plan: RowMapping, raw: Raw, *, cells: bool) -> None:
        self.plan, self.raw, self.cells = plan, raw, cells
        self.values: dict[str, Any] = {}
        self.entries = Changes()
        self.blank: set[str] = set()
        self.errors: list[FieldError] = []
        self.notes: list[FieldError] = []

    def set_field(self, name: str, entry: str | None, value: Any) -> None:
        """Sets a field, or an entry of the object field, to the row's value or its default."""
        plan = self.plan
        if value is MISSING or self._is_blank(value) or (value is None and name in plan.defaults):
            default = plan.defaults.get(name, MISSING)
            if default is MISSING:
                if value is not MISSING:
                    self._note_blank(name)
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
                self._set_extra(str(key), each)
            return
        self.values[name] = converted

    def set_others(self) -> None:
        """Handles columns that are not mapped to a field."""
        roles = self.plan.roles
        for key, value in self.raw.items():
            role = roles.get(key) or self.plan.role(key)
            if role == "used":
                continue
            if role != "extra":
                self.set_field(f"{self.plan.known.entries}.{role}", role, value)
            elif self.plan.extra == "attributes":
                self._set_extra_cell(key, value)
            elif self.plan.extra == "reject":
                if len(self.errors) >= MAX_ERRORS:
                    break
                detail = column_check.unknown_key(self.plan, key)
                self.errors.append(FieldError(validators.child_pointer("", key), "unknown_field", detail))

    def is_skipped(self) -> bool:
        """True if the preset skips the row."""
        preset = self.plan.preset
        kind = self.values.get("type")
        if isinstance(kind, str) and kind in preset.skipped:
            return True
        return any(self.values.get(name) in (None, "") for name in preset.needs)

    def line(self, number: int) -> Line:
        """The mapped line."""
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

    def _note_blank(self, name: str) -> None:
        """Notes an empty cell: it clears the field, unless the field is required."""
        if name not in self.plan.known.required:
            self.blank.add(name)

    def _set_extra_cell(self, key: str, value: Any) -> None:
        if self._is_blank(value):
            self.blank.add(f"{self.plan.known.entries}.{key}")
        else:
            self._set_extra(key, cells.attribute(value, cell=self.cells))

    def _set_extra(self, key: str, value: Any) -> None:
        """Sets an unmapped entry, or notes that it is omitted."""
        plain = _plain(value)
        if plain is MISSING:
            pointer = validators.child_pointer(f"/{self.plan.known.entries}", key)
            detail = "Must be a string, number, boolean or list of strings. It was omitted."
            self.notes.append(FieldError(pointer, "bad_attribute", detail))
            return
        self.entries[key] = plain


def _plain(value: Any) -> Any:
    """The value as an attribute; MISSING for a nested one."""
    if isinstance(value, list):
        texts = [str(each) for each in value if isinstance(each, str | int | float) and each != ""]
        return texts if len(texts) == len([each for each in value if each not in (None, "")]) else MISSING
    if isinstance(value, Mapping) or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > validators.MAX_INTEGER:
        return str(value)
    return value
