"""The caller's mapping of columns to fields. Checked before the file is read, and stored with the job."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from core.quoting import quoted
from recommendations.catalog import timestamps
from recommendations.catalog.validators import FieldRefused, refusal
from recommendations.imports.mapping import cells, time_parsing
from recommendations.imports.mapping.kinds import KINDS, FileKind
from recommendations.imports.mapping.presets import PRESETS
from recommendations.imports.mapping.presets.base import Extra
from recommendations.imports.mapping.time_parsing import TimeFormat
from recommendations.imports.models import Import

EXTRA: tuple[Extra, ...] = ("attributes", "ignore", "reject")
UNITS = tuple(timestamps.UNITS)
# Per import. A table has at most 512 columns.
MAX_PAIRS = 512
MAX_PAIR = 1200


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """The caller's mapping, see `parse_mapping`. None stands for the preset's value, or the default."""

    columns: tuple[tuple[str, str], ...] = ()
    defaults: tuple[tuple[str, str], ...] = ()
    timezone: str | None = None
    time_unit: str | None = None
    extra: Extra | None = None
    preset: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The stored form: only what was given."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "ColumnMapping":
        """Reverses `as_json`."""
        pairs = {name: tuple((a, b) for a, b in stored.get(name, ())) for name in ("columns", "defaults")}
        return cls(**{**stored, **pairs})


AS_NAMED = ColumnMapping()


def parse_mapping(
    *,
    kind: Import.Kind,
    columns: Sequence[str] = (),
    defaults: Sequence[str] = (),
    timezone: str | None = None,
    time_unit: str | None = None,
    extra: str | None = None,
    preset: str | None = None,
) -> ColumnMapping:
    """Parses the options of the API and the command line: `columns` as COLUMN=FIELD, `defaults` as FIELD=VALUE.

    Raises: FieldRefused, with pointers named like the options of the API (/map, /default, /timezone, ...).
    """
    known = KINDS[kind]
    meaning = ColumnMapping(
        columns=tuple(_column(pair, known, kind) for pair in _bounded(columns, "/map")),
        defaults=tuple(_default(pair, known, kind) for pair in _bounded(defaults, "/default")),
        timezone=_timezone(timezone),
        time_unit=_one_of(time_unit, UNITS, "/time_unit"),
        extra=cast("Extra | None", _one_of(extra, EXTRA, "/extra")),
        preset=_preset(preset, kind),
    )
    for field, value in meaning.defaults:
        default_value(field, value, known, times_of(meaning, kind))
    if repeated := _first_repeated([field for _, field in meaning.columns]):
        raise refusal("/map", "mapped_twice", f"Two columns are mapped to {repeated}; a field takes one column.")
    if repeated := _first_repeated([field for field, _ in meaning.defaults]):
        raise refusal("/default", "mapped_twice", f"{repeated} has two defaults.")
    return meaning


def times_of(meaning: ColumnMapping, kind: Import.Kind) -> TimeFormat:
    """The format of times: as the caller says, else as the preset does."""
    preset = PRESETS[meaning.preset].files[kind] if meaning.preset else None
    zone = meaning.timezone or (preset.zone if preset else None)
    return TimeFormat(
        time_parsing.zone(zone) if zone else None, meaning.time_unit or (preset.unit if preset else "seconds")
    )


def default_value(name: str, value: str, kind: FileKind, reading: TimeFormat) -> Any:
    """Converts a default for the field's reader.

    Raises: FieldRefused for an invalid value.
    """
    if kind.entry(name) is not None:
        return cells.attribute(value, cell=True)
    try:
        converted = cells.convert(name, value, reading)
        kind.shape.readers[name](converted, "")
    except FieldRefused as refused:
        error = refused.errors[0]
        raise refusal("/default", "bad_default", f"{name}: {error.detail}") from None
    return converted


def _bounded(pairs: Sequence[str], pointer: str) -> Sequence[str]:
    if len(pairs) > MAX_PAIRS:
        raise refusal(pointer, "too_many", f"Must have at most {MAX_PAIRS} entries, but has {len(pairs)}.")
    if any(len(pair) > MAX_PAIR or "\x00" in pair for pair in pairs):
        raise refusal(pointer, "bad_pair", f"Entries must have at most {MAX_PAIR} characters, and no U+0000.")
    return pairs


def _column(pair: str, known: FileKind, kind: Import.Kind) -> tuple[str, str]:
    """Splits at the last `=`, as a column's name may contain one."""
    column, separator, field = pair.rpartition("=")
    if not separator or not column or not field:
        raise refusal("/map", "bad_pair", "Must be COLUMN=FIELD, such as id=item_id or price=attributes.price.")
    return column, _field(field, known, kind, "/map")


def _default(pair: str, known: FileKind, kind: Import.Kind) -> tuple[str, str]:
    field, separator, value = pair.partition("=")
    if not separator or not field or not value:
        raise refusal("/default", "bad_pair", "Must be FIELD=VALUE, such as type=purchase.")
    if field in cells.IDS:
        raise refusal("/default", "bad_pair", f"{field} must be in each row; it cannot have a default.")
    return _field(field, known, kind, "/default"), value


def _field(field: str, known: FileKind, kind: Import.Kind, pointer: str) -> str:
    if not known.is_field(field):
        fields = ", ".join((*known.fields, f"{known.entries}.NAME"))
        raise refusal(pointer, "no_such_field", f"'{quoted(field)}' is not a field of {kind}. Allowed: {fields}.")
    return field


def _timezone(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        time_parsing.zone(name)
    except ValueError:
        detail = "Unknown time zone. Use an IANA name, such as Europe/Berlin or UTC."
        raise refusal("/timezone", "unknown_timezone", detail) from None
    return name


def _one_of(value: str | None, known: Sequence[str], pointer: str) -> str | None:
    if value is not None and value not in known:
        raise refusal(pointer, "unknown_value", f"Must be one of {', '.join(known)}.")
    return value


def _preset(name: str | None, kind: Import.Kind) -> str | None:
    if name is None:
        return None
    fitting = ", ".join(preset.name for preset in PRESETS.values() if kind in preset.files)
    if name not in PRESETS:
        raise refusal("/preset", "unknown_preset", f"Unknown preset. For {kind}, use one of {fitting}.")
    if kind not in PRESETS[name].files:
        reads = ", ".join(PRESETS[name].files)
        raise refusal(
            "/preset", "unknown_preset", f"'{name}' reads {reads}, not {kind}. For {kind}, use one of {fitting}."
        )
    return name


def _first_repeated(names: Sequence[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)
