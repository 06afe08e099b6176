"""Nodes of a parsed condition. Every test is true or false, never unknown: `not` turns one into the other."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.errors import InvalidInput


class FilterRefused(InvalidInput):
    """The text is not a condition. `column` counts characters from 1; `reason` says what was expected there."""

    title = "The filter is not valid"

    def __init__(self, column: int, reason: str) -> None:
        super().__init__(f"Column {column}: {reason}")
        self.column = column
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Path:
    """A field of the item or of the person; `attribute` is set for one of its free attributes."""

    of_person: bool
    name: str
    attribute: str | None = None
    column: int = field(default=1, compare=False)

    def __str__(self) -> str:
        name = self.name if self.attribute is None else f"attributes.{self.attribute}"
        return f"user.{name}" if self.of_person else name


@dataclass(frozen=True, slots=True)
class Ahead:
    """A moment told from the moment of reading: `now - 7d`."""

    offset: timedelta


Scalar = str | int | float | bool | datetime
Literal = Scalar | Ahead
Operand = Literal | Path | tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Always:
    """True, or false, whatever the item."""

    value: bool
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison: `op` is one of = < <= > >= contains in exists. Bound, it may ask for any of several parts."""

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
    """Every part holds."""

    parts: tuple["Node", ...]
    depth: int = 1


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple["Node", ...]
    depth: int = 1


Node = Always | Test | Not | All | AnyOf
