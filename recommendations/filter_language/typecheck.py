"""Type checks beyond the grammar: known fields, and the values that each can be compared with."""

from datetime import datetime
from typing import NamedTuple

from recommendations.filter_language.ast import Ahead, FilterRefused, Operand, Path
from recommendations.filter_language.schema import EXAMPLES, Type, fields_of

MAX_ATTRIBUTE_NAME = 128


class Located(NamedTuple):
    """A value and its column."""

    column: int
    value: Operand


class Range(NamedTuple):
    """An inclusive range."""

    low: Located
    high: Located


class Listed(NamedTuple):
    """A list of values in brackets."""

    values: tuple[Located, ...]


def path_of(names: list[Located]) -> Path:
    """Resolves names to a field.

    Raises: FilterRefused.
    """
    column = names[0].column
    person = names[0].value == "user"
    rest = names[1:] if person or names[0].value == "item" else names
    known = fields_of(person=person)
    listed = ", ".join([*known, "attributes.NAME"])
    whose = "user" if person else "item"
    if not rest:
        raise FilterRefused(column, f"name a field of the {whose}, such as {whose}.{next(iter(known))}.")
    name = str(rest[0].value)
    if name == "attributes":
        return _attribute(person, rest, column)
    if name not in known:
        raise FilterRefused(rest[0].column, f"the {whose} has no field '{name}'; it has {listed}.")
    if len(rest) > 1:
        raise FilterRefused(rest[1].column, f"'{name}' has no fields of its own.")
    return Path(person, name, None, column)


def _attribute(person: bool, names: list[Located], column: int) -> Path:
    if len(names) == 1:
        raise FilterRefused(names[0].column, 'name the attribute: attributes.price, or attributes["size (cm)"].')
    if len(names) > 2:
        detail = f'attributes are flat; for a name with a dot write attributes["{names[1].value}.{names[2].value}"].'
        raise FilterRefused(names[2].column, detail)
    name = str(names[1].value)
    if not 0 < len(name) <= MAX_ATTRIBUTE_NAME:
        raise FilterRefused(names[1].column, f"names of attributes have 1 to {MAX_ATTRIBUTE_NAME} characters.")
    return Path(person, "attributes", name, column)


def type_of(path: Path) -> Type:
    """The type of the field's values."""
    return "free" if path.attribute is not None else fields_of(person=path.of_person)[path.name]


def subject(left: Located, op: str) -> Path:
    """The field on the left-hand side.

    Raises: FilterRefused.
    """
    if not isinstance(left.value, Path):
        raise FilterRefused(left.column, f"put a field before '{op}', and the value after it.")
    return left.value


def check_operand(path: Path, op: str, operand: Located) -> None:
    """Raises: FilterRefused if the field can never have that value."""
    value, kind = operand.value, type_of(path)
    if isinstance(value, Path):
        if not value.of_person:
            raise FilterRefused(operand.column, f"'{value}' is an item's field; use a value or a user's field.")
        return
    if isinstance(value, bool) and op not in ("=", "in"):
        raise FilterRefused(operand.column, f"true and false have no order; '{op}' needs a number, text or date.")
    if kind == "list" and op != "in":
        raise FilterRefused(path.column, f"'{path}' is a list; use {EXAMPLES['list']}.")
    dated = isinstance(value, (datetime, Ahead))
    fits = dated if kind == "date" else isinstance(value, str)
    if kind != "free" and not fits:
        wanted = EXAMPLES["text" if kind == "list" else kind]
        raise FilterRefused(operand.column, f"'{path}' must be compared with {wanted}.")
