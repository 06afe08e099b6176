"""Nodes of a parsed condition. Every test is true or false, never unknown: `not` turns one into the other."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.errors import InvalidInput


class FilterRefused(InvalidInput):
    """The text is not a valid condition. `column` counts characters from 1; `reason` tells what was expected."""

    title = "The filter is not valid"

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(f"Column {column}: {reason}")
        self.column = column
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Path:
    """A field of the item or the user; `attribute` is set for one of its attributes."""

    of_person: bool
    name: str
    attribute: str | None = None
    column: int = field(default=1, compare=False)

    def __str__(self) -> str:
        name = self.name if self.attribute is None else f"attributes.{self.attribute}"
        return f"user.{name}" if self.of_person else name


@dataclass(frozen=True, slots=True)
class Ahead:
    """A time relative to the evaluation, such as `now - 7d`."""

    offset: timedelta


Scalar = str | int | float | bool | datetime
Literal = Scalar | Ahead
Operand = Literal | Path | tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Always:
    """A constant, independent of the item."""

    value: bool
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison; `op` is = < <= > >= contains in or exists. Once bound, `contains` may have several operands."""

    path: Path
    op: str
    operand: Operand | None = None
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Not:
    """Negation of a condition."""

    part: "Node"
    depth: int = 1


@dataclass(frozen=True, slots=True)
class All:
    """Conjunction."""

    parts: tuple["Node", ...]
    depth: int = 1


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Disjunction."""

    parts: tuple["Node", ...]
    depth: int = 1


Node = Always | Test | Not | All | AnyOf
