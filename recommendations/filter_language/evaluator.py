"""Evaluation of conditions in memory, with the same results as `sql` in PostgreSQL (checked by a property test)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from recommendations.filter_language import dates
from recommendations.filter_language.ast import All, Always, AnyOf, Node, Not, Path, Scalar, Test


class ItemLike(Protocol):
    """The fields that conditions read; the model and the item facts of a build both have them."""

    item_id: str
    title: str
    description: str
    categories: Sequence[str]
    attributes: Mapping[str, Any]
    available_from: datetime | None
    available_until: datetime | None
    created_at: datetime
    updated_at: datetime


def holds(node: Node, item: Any) -> bool:
    """Tell whether the item (ItemLike) meets a bound condition."""
    if isinstance(node, Test):
        return satisfied(_value(item, node.path), node.op, node.operand)
    if isinstance(node, Not):
        return not holds(node.part, item)
    if isinstance(node, All):
        return all(holds(part, item) for part in node.parts)
    if isinstance(node, AnyOf):
        return any(holds(part, item) for part in node.parts)
    assert isinstance(node, Always)
    return node.value


def satisfied(value: Any, op: str, operand: Any) -> bool:
    """Evaluates one comparison. Missing values and values of another type never match."""
    if value is None:
        return False
    if op == "exists":
        return value not in ("", [], ())
    if op == "contains":
        return _contains(value, operand if isinstance(operand, tuple) else (operand,))
    if op == "in":
        return any(satisfied(value, "=", each) or _member(value, each) for each in operand)
    pair = _alike(value, operand)
    return pair is not None and _compare(op, *pair)


def _contains(value: Any, parts: tuple[Any, ...]) -> bool:
    """Tell whether the text contains one of these parts, or the list one of these entries."""
    if isinstance(value, str):
        return any(isinstance(part, str) and part in value for part in parts)
    return isinstance(value, (list, tuple)) and any(isinstance(part, str) and part in value for part in parts)


def _member(value: Any, each: Scalar) -> bool:
    return isinstance(value, (list, tuple)) and each in value


def _alike(value: Any, operand: Any) -> tuple[Any, Any] | None:
    """Both sides in comparable form; None if they cannot be compared."""
    if isinstance(operand, datetime):
        if isinstance(value, datetime):
            return value, operand
        told = dates.comparable(value) if isinstance(value, str) else None
        return None if told is None else (told, dates.told(operand))
    if isinstance(operand, bool) or isinstance(value, bool):
        return (value, operand) if isinstance(operand, bool) and isinstance(value, bool) else None
    if isinstance(operand, str):
        return (value, operand) if isinstance(value, str) else None
    # PostgreSQL writes 1e300 in full, which is read as an integer that a double only approximates.
    return (float(value), float(operand)) if isinstance(value, (int, float)) else None


def _compare(op: str, value: Any, operand: Any) -> bool:
    if op == "=":
        return bool(value == operand)
    if op == "<":
        return bool(value < operand)
    if op == "<=":
        return bool(value <= operand)
    return bool(value > operand) if op == ">" else bool(value >= operand)


def _value(item: Any, path: Path) -> Any:
    return getattr(item, path.name) if path.attribute is None else item.attributes.get(path.attribute)
