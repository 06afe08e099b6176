"""Whether a table's columns do for a plan, and what is probably meant by those that do not."""

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.quoting import quoted
from recommendations.imports.kinds import KINDS
from recommendations.imports.read_options import UnreadableFile

if TYPE_CHECKING:
    from recommendations.imports.row_mapping import Plan

# More are another file, or made to be one.
MAX_COLUMNS = 512
_NAMED = 10


def check(plan: "Plan", names: Sequence[str]) -> None:
    """Raises: UnreadableFile for columns that are not known, or that are missing."""
    if len(names) > MAX_COLUMNS:
        raise UnreadableFile(f"The first line names {len(names):,} columns; at most {MAX_COLUMNS} are read.")
    for column, field in plan.meaning.columns:
        if column not in names:
            raise UnreadableFile(
                f"The mapping takes {field} from a column '{quoted(column)}', which the header does not have. "
                f"It has {_listed(names)}."
            )
    strangers = [name for name in names if plan.role(name) == "extra"] if plan.extra == "reject" else []
    if strangers and (other := _other_kind(plan, names)):
        raise UnreadableFile(f"This looks like a file of {other}, not of {plan.kind.value}: it has {_listed(names)}.")
    if strangers:
        shown = ", ".join(_with_guess(plan, name) for name in strangers[:_NAMED])
        guess = guessed(plan, strangers[0]) or "FIELD"
        more = ", ..." if len(strangers) > _NAMED else ""
        raise UnreadableFile(
            f"Unknown columns in the header: {shown}{more}. Known are {_known(plan)}. Say what they are "
            f"(--map {quoted(strangers[0])}={guess}; in the API, map), or what becomes "
            "of them (--extra attributes or ignore)."
        )
    if missing := _missing(plan, names):
        hints = "".join(_for_missing(plan, name, names) for name in missing)
        preset = f" The preset {plan.meaning.preset} reads them from other columns." if plan.meaning.preset else ""
        raise UnreadableFile(
            f"The header lacks the columns {', '.join(_wanted(plan, name) for name in missing)}.{hints}{preset} "
            f"It has {_listed(names)}."
        )


def _other_kind(plan: "Plan", names: Sequence[str]) -> str | None:
    """The kind of file that has just these columns, where nothing was said of them."""
    if plan.loose:
        return None
    for kind, known in KINDS.items():
        fields = {*known.fields, known.entries}
        named = all(name in fields or name.startswith(f"{known.entries}.") for name in names)
        if kind != plan.kind and named and set(known.required) <= set(names):
            return kind.value
    return None


def unknown(plan: "Plan", name: str) -> str:
    """What is said of a key of JSON that is no field."""
    guess = guessed(plan, name)
    return f"Unknown; known are {_known(plan)}.{f' Did you mean {guess}?' if guess else ''}"


def guessed(plan: "Plan", name: str) -> str | None:
    """The field that a column is probably meant for."""
    plain = "".join(letter for letter in name.casefold() if letter.isalnum())
    if plain in plan.known.aliases:
        return plan.known.aliases[plain]
    spelled = {field.replace("_", ""): field for field in plan.known.fields}
    close = difflib.get_close_matches(plain[:64], spelled, n=1, cutoff=0.8)
    return spelled[close[0]] if close else None


def _missing(plan: "Plan", names: Sequence[str]) -> list[str]:
    """Required fields that no column and no default gives."""
    found = []
    for field in plan.known.required:
        source = plan.sources.get(field, ())
        if callable(source) or field in plan.defaults:
            continue
        if not set((source,) if isinstance(source, str) else source) & set(names):
            found.append(field)
    return found


def _wanted(plan: "Plan", field: str) -> str:
    source = plan.sources.get(field, ())
    names = (source,) if isinstance(source, str) else source
    if callable(names) or field in names or not names:
        return field
    return f"{names[0]} ({field})"


def _for_missing(plan: "Plan", field: str, names: Sequence[str]) -> str:
    like = next((name for name in names if guessed(plan, name) == field), None)
    if like is not None:
        return f" Is {field} the column '{quoted(like)}'? Then say --map {quoted(like)}={field} (in the API, map)."
    return " If all rows are of one type: --default type=view (in the API, default)." if field == "type" else ""


def _with_guess(plan: "Plan", name: str) -> str:
    guess = guessed(plan, name)
    return quoted(name) + (f" (did you mean {guess}?)" if guess else "")


def _known(plan: "Plan") -> str:
    return ", ".join((*plan.known.fields, f"{plan.known.entries}.NAME"))


def _listed(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _NAMED else ""
    return ", ".join(quoted(name) for name in names[:_NAMED]) + more
