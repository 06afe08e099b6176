"""Checks the columns of a table against a mapping, and suggests fields for unknown ones."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.quoting import quoted
from recommendations.imports.formats.read_options import MAX_COLUMNS, UnreadableFile
from recommendations.imports.mapping.kinds import KINDS

if TYPE_CHECKING:
    from recommendations.imports.mapping.row_mapping import RowMapping

_NAMED = 10


def check_columns(plan: "RowMapping", names: Sequence[str]) -> None:
    """Raises: UnreadableFile for unknown or missing columns."""
    if len(names) > MAX_COLUMNS:
        raise UnreadableFile(f"The first line names {len(names):,} columns; at most {MAX_COLUMNS} are supported.")
    for column, field in plan.meaning.columns:
        if column not in names:
            raise UnreadableFile(
                f"The mapping reads {field} from a column '{quoted(column)}', which is not in the header. "
                f"The header has {_listed(names)}."
            )
    unknown_names = [name for name in names if plan.role(name) == "extra"] if plan.extra == "reject" else []
    if unknown_names and (other := _other_kind(plan, names)):
        raise UnreadableFile(
            f"This looks like a file of {other}, not of {plan.kind.value}: the header has {_listed(names)}."
        )
    if unknown_names:
        shown = ", ".join(_with_guess(plan, name) for name in unknown_names[:_NAMED])
        guess = guess_field(plan, unknown_names[0]) or "FIELD"
        more = ", ..." if len(unknown_names) > _NAMED else ""
        raise UnreadableFile(
            f"Unknown columns in the header: {shown}{more}. Allowed: {_allowed(plan)}. Map them "
            f"(--map {quoted(unknown_names[0])}={guess}; in the API, map), or choose what to do with them "
            "(--extra attributes or ignore)."
        )
    if missing := _missing(plan, names):
        hints = "".join(_missing_hint(plan, name, names) for name in missing)
        preset = f" The preset {plan.meaning.preset} reads them from other columns." if plan.meaning.preset else ""
        raise UnreadableFile(
            f"The header lacks the columns {', '.join(_column_label(plan, name) for name in missing)}.{hints}{preset} "
            f"The header has {_listed(names)}."
        )


def _other_kind(plan: "RowMapping", names: Sequence[str]) -> str | None:
    """The kind of file with exactly these columns, if the caller has not mapped any."""
    if plan.loose:
        return None
    for kind, known in KINDS.items():
        fields = {*known.fields, known.entries}
        named = all(name in fields or name.startswith(f"{known.entries}.") for name in names)
        if kind != plan.kind and named and set(known.required) <= set(names):
            return kind.value
    return None


def unknown_key(plan: "RowMapping", name: str) -> str:
    """The error for a JSON key that is not a field."""
    guess = guess_field(plan, name)
    return f"Unknown field. Allowed: {_allowed(plan)}.{f' Did you mean {guess}?' if guess else ''}"


def guess_field(plan: "RowMapping", name: str) -> str | None:
    """The field that a column probably means."""
    plain = "".join(letter for letter in name.casefold() if letter.isalnum())
    if plain in plan.known.aliases:
        return plan.known.aliases[plain]
    spelled = {field.replace("_", ""): field for field in plan.known.fields}
    close = difflib.get_close_matches(plain[:64], spelled, n=1, cutoff=0.8)
    return spelled[close[0]] if close else None


def _missing(plan: "RowMapping", names: Sequence[str]) -> list[str]:
    """Required fields without a column or default."""
    missing = []
    for field in plan.known.required:
        source = plan.sources.get(field, ())
        if callable(source) or field in plan.defaults:
            continue
        if not set((source,) if isinstance(source, str) else source) & set(names):
            missing.append(field)
    return missing


def _column_label(plan: "RowMapping", field: str) -> str:
    source = plan.sources.get(field, ())
    names = (source,) if isinstance(source, str) else source
    if callable(names) or field in names or not names:
        return field
    return f"{names[0]} ({field})"


def _missing_hint(plan: "RowMapping", field: str, names: Sequence[str]) -> str:
    like = next((name for name in names if guess_field(plan, name) == field), None)
    if like is not None:
        return f" Is {field} the column '{quoted(like)}'? Then use --map {quoted(like)}={field} (in the API, map)."
    return " If all rows are of one type: --default type=view (in the API, default)." if field == "type" else ""


def _with_guess(plan: "RowMapping", name: str) -> str:
    guess = guess_field(plan, name)
    return quoted(name) + (f" (did you mean {guess}?)" if guess else "")


def _allowed(plan: "RowMapping") -> str:
    return ", ".join((*plan.known.fields, f"{plan.known.entries}.NAME"))


def _listed(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _NAMED else ""
    return ", ".join(quoted(name) for name in names[:_NAMED]) + more
