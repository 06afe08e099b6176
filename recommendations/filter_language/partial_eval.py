"""Partial evaluation of a condition for one user at one time: parts about the user and `now` become constants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from recommendations.filter_language import dates
from recommendations.filter_language.ast import Ahead, All, Always, AnyOf, Node, Not, Path, Test
from recommendations.filter_language.evaluator import satisfied
from recommendations.filter_language.typecheck import type_of

NEVER = Always(value=False)


@dataclass(frozen=True, slots=True)
class Person:
    """The user's fields that conditions may read; empty for an anonymous user."""

    user_id: str = ""
    locale: str = ""
    segments: Sequence[str] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


def bind(node: Node, *, person: Person, now: datetime) -> Node:
    """Returns the condition on items only."""
    if isinstance(node, Not):
        part = bind(node.part, person=person, now=now)
        return Always(not part.value) if isinstance(part, Always) else Not(part)
    if isinstance(node, All):
        return _joined(node, [bind(part, person=person, now=now) for part in node.parts], ends=False)
    if isinstance(node, AnyOf):
        return _joined(node, [bind(part, person=person, now=now) for part in node.parts], ends=True)
    if isinstance(node, Always):
        return node
    return _test(node, person, now)


def names_person(node: Node) -> bool:
    """Tell whether the condition reads a field of the user."""
    if isinstance(node, (All, AnyOf)):
        return any(map(names_person, node.parts))
    if isinstance(node, Not):
        return names_person(node.part)
    operand = node.operand if isinstance(node, Test) else None
    return isinstance(node, Test) and (node.path.of_person or isinstance(operand, Path))


def _joined(node: All | AnyOf, parts: list[Node], *, ends: bool) -> Node:
    """Drops constant parts; a part with the value `ends` decides alone."""
    left = tuple(part for part in parts if not isinstance(part, Always))
    if any(isinstance(part, Always) and part.value is ends for part in parts):
        return Always(ends)
    if not left:
        return Always(not ends)
    return left[0] if len(left) == 1 else type(node)(left)


def _test(node: Test, person: Person, now: datetime) -> Node:
    operand: Any = node.operand
    if isinstance(operand, Path):
        operand = _of(person, operand)
        if node.op == "contains" and isinstance(operand, (list, tuple)):
            operand = tuple(dict.fromkeys(each for each in operand if isinstance(each, str)))
        else:
            if node.op == "in":
                operand = () if operand is None else operand if isinstance(operand, (list, tuple)) else (operand,)
            operand = _fitting(node, operand)
        if operand is None:
            return NEVER
    operand = tuple(_at(each, now) for each in operand) if isinstance(operand, tuple) else _at(operand, now)
    if operand == ():
        return NEVER
    if node.path.of_person:
        return Always(satisfied(_of(person, node.path), node.op, operand))
    return Test(node.path, node.op, operand)


def _of(person: Person, path: Path) -> Any:
    return getattr(person, path.name) if path.attribute is None else person.attributes.get(path.attribute)


def _at(value: Any, now: datetime) -> Any:
    return now + value.offset if isinstance(value, Ahead) else value


def _fitting(node: Test, value: Any) -> Any:
    """A user's value in a form comparable with the item's field; None if it never is."""
    if isinstance(value, (list, tuple)):
        fitting = (_fitting(Test(node.path, "=", None), each) for each in value)
        return tuple(each for each in fitting if each is not None) if node.op == "in" else None
    kind = type_of(node.path)
    if kind == "date":
        return _moment(value)
    if kind in ("text", "list") or node.op == "contains":
        return value if isinstance(value, str) else None
    if isinstance(value, bool) and node.op not in ("=", "in"):
        return None
    return value


def _moment(value: Any) -> datetime | None:
    told = dates.comparable(value) if isinstance(value, str) else None
    try:
        return datetime.fromisoformat(told).replace(tzinfo=UTC) if told else None
    except ValueError:
        return None
