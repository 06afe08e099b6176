"""What a caller says of what a file's columns mean. Checked before anything is read, and kept with the import's job."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from core.quoting import quoted
from recommendations.catalog import timestamps
from recommendations.catalog.validators import FieldRefused, refuse
from recommendations.imports import cells, time_parsing
from recommendations.imports.kinds import KINDS, Kind
from recommendations.imports.models import Import
from recommendations.imports.presets import PRESETS
from recommendations.imports.presets.base import Extra
from recommendations.imports.time_parsing import Times

EXTRA: tuple[Extra, ...] = ("attributes", "ignore", "reject")
UNITS = tuple(timestamps.UNITS)
# Of one import. A table has at most 512 columns.
MAX_PAIRS = 512
MAX_PAIR = 1200


@dataclass(frozen=True, slots=True)
class Meaning:
    """What was said of a file's columns: see `read`. None is what the preset says, or else the service's own."""

    columns: tuple[tuple[str, str], ...] = ()
    defaults: tuple[tuple[str, str], ...] = ()
    timezone: str | None = None
    time_unit: str | None = None
    extra: Extra | None = None
    preset: str | None = None

    def as_json(self) -> dict[str, Any]:
        """For a job's row: only what was said."""
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> "Meaning":
        """What `as_json` gave."""
        pairs = {name: tuple((a, b) for a, b in stored.get(name, ())) for name in ("columns", "defaults")}
        return cls(**{**stored, **pairs})


AS_NAMED = Meaning()


def read(
    *,
    kind: Import.Kind,
    columns: Sequence[str] = (),
    defaults: Sequence[str] = (),
    timezone: str | None = None,
    time_unit: str | None = None,
    extra: str | None = None,
    preset: str | None = None,
) -> Meaning:
    """What a caller says, as texts: `columns` as COLUMN=FIELD, `defaults` as FIELD=VALUE.

    Raises: FieldRefused, with pointers named as the options of the API (/map, /default, /timezone, ...).
    """
    known = KINDS[kind]
    meaning = Meaning(
        columns=tuple(_column(pair, known, kind) for pair in _bounded(columns, "/map")),
        defaults=tuple(_default(pair, known, kind) for pair in _bounded(defaults, "/default")),
        timezone=_timezone(timezone),
        time_unit=_one_of(time_unit, UNITS, "/time_unit"),
        extra=cast("Extra | None", _one_of(extra, EXTRA, "/extra")),
        preset=_preset(preset, kind),
    )
    for field, value in meaning.defaults:
        default_value(field, value, known, times_of(meaning, kind))
    if twice := _first_twice([field for _, field in meaning.columns]):
        raise refuse("/map", "mapped_twice", f"Two columns are mapped to {twice}; a field has one.")
    if twice := _first_twice([field for field, _ in meaning.defaults]):
        raise refuse("/default", "mapped_twice", f"{twice} has two defaults.")
    return meaning


def times_of(meaning: Meaning, kind: Import.Kind) -> Times:
    """How times are read: as it was said, else as the preset says."""
    preset = PRESETS[meaning.preset].files[kind] if meaning.preset else None
    zone = meaning.timezone or (preset.zone if preset else None)
    return Times(time_parsing.zone(zone) if zone else None, meaning.time_unit or (preset.unit if preset else "seconds"))


def default_value(name: str, value: str, kind: Kind, reading: Times) -> Any:
    """A default as the field's reader takes it.

    Raises: FieldRefused where no row could hold it.
    """
    if kind.entry(name) is not None:
        return cells.attribute(value, cell=True)
    try:
        converted = cells.convert(name, value, reading)
        kind.shape.readers[name](converted, "")
    except FieldRefused as refused:
        error = refused.errors[0]
        raise refuse("/default", "bad_default", f"{name}: {error.detail}") from None
    return converted


def _bounded(pairs: Sequence[str], pointer: str) -> Sequence[str]:
    if len(pairs) > MAX_PAIRS:
        raise refuse(pointer, "too_many", f"At most {MAX_PAIRS}; these are {len(pairs)}.")
    if any(len(pair) > MAX_PAIR or "\x00" in pair for pair in pairs):
        raise refuse(pointer, "bad_pair", f"Each has at most {MAX_PAIR} characters, and no U+0000.")
    return pairs


def _column(pair: str, known: Kind, kind: Import.Kind) -> tuple[str, str]:
    """The field stands behind the last `=`: a column's name may have one."""
    column, found, field = pair.rpartition("=")
    if not found or not column or not field:
        raise refuse("/map", "bad_pair", "Must be COLUMN=FIELD, such as id=item_id or price=attributes.price.")
    return column, _field(field, known, kind, "/map")


def _default(pair: str, known: Kind, kind: Import.Kind) -> tuple[str, str]:
    field, found, value = pair.partition("=")
    if not found or not field or not value:
        raise refuse("/default", "bad_pair", "Must be FIELD=VALUE, such as type=purchase.")
    if field in cells.IDS:
        raise refuse("/default", "bad_pair", f"{field} has no default: each row says whom or what it is about.")
    return _field(field, known, kind, "/default"), value


def _field(field: str, known: Kind, kind: Import.Kind, pointer: str) -> str:
    if not known.is_field(field):
        fields = ", ".join((*known.fields, f"{known.entries}.NAME"))
        raise refuse(pointer, "no_such_field", f"'{quoted(field)}' is no field of {kind}; they have {fields}.")
    return field


def _timezone(name: str | None) -> str | None:
    if name is None:
        return None
    try:
        time_parsing.zone(name)
    except ValueError:
        detail = "There is no such time zone. Use a name of the IANA database, such as Europe/Berlin or UTC."
        raise refuse("/timezone", "unknown_timezone", detail) from None
    return name


def _one_of(value: str | None, known: Sequence[str], pointer: str) -> str | None:
    if value is not None and value not in known:
        raise refuse(pointer, "unknown_value", f"Must be one of {', '.join(known)}.")
    return value


def _preset(name: str | None, kind: Import.Kind) -> str | None:
    if name is None:
        return None
    fitting = ", ".join(preset.name for preset in PRESETS.values() if kind in preset.files)
    if name not in PRESETS:
        raise refuse("/preset", "unknown_preset", f"There is no such preset. Of {kind} there are {fitting}.")
    if kind not in PRESETS[name].files:
        reads = ", ".join(PRESETS[name].files)
        raise refuse(
            "/preset", "unknown_preset", f"'{name}' reads {reads} and no {kind}. For {kind} there are {fitting}."
        )
    return name


def _first_twice(names: Sequence[str]) -> str | None:
    return next((name for name in names if names.count(name) > 1), None)
