"""Transforms parse trees to checked syntax trees, one method per rule of the grammar."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from lark import Token, Transformer, v_args

from recommendations.filter_language import typecheck
from recommendations.filter_language.ast import Ahead, All, AnyOf, FilterRefused, Node, Not, Path, Test
from recommendations.filter_language.typecheck import Listed, Located, Range

MAX_DEPTH = 20
MAX_LIST = 100
MAX_TEXT = 1000
MAX_INTEGER = 2**53
MAX_DAYS = 36_500
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ESCAPED = {"n": "\n", "t": "\t"}


@v_args(inline=True)
class Builder(Transformer[Token, Any]):
    """One method a rule; the names are the grammar's."""

    def start(self, node: Node) -> Node:
        return node

    def any(self, *parts: Node) -> Node:
        return parts[0] if len(parts) == 1 else AnyOf(parts, _deeper(*parts))

    def all(self, *parts: Node) -> Node:
        return parts[0] if len(parts) == 1 else All(parts, _deeper(*parts))

    def negation(self, part: Node) -> Node:
        return Not(part, _deeper(part))

    def compared(self, left: Located, op: Token, right: Located) -> Node:
        path = typecheck.subject(left, op)
        name = "=" if op == "!=" else str(op)
        typecheck.check_operand(path, name, right)
        test = Test(path, name, right.value)
        return Not(test, 2) if op == "!=" else test

    def contains(self, left: Located, right: Located) -> Node:
        return _contains(left, right)

    def within(self, left: Located, many: Any) -> Node:
        return _within(left, many)

    def without(self, left: Located, many: Any) -> Node:
        found = _within(left, many)
        return Not(found, _deeper(found))

    def exists(self, operand: Located) -> Node:
        return Test(typecheck.subject(operand, "exists"), "exists")

    def listed(self, *values: Located | None) -> Listed:
        found = tuple(each for each in values if each is not None)
        if len(found) > MAX_LIST:
            raise FilterRefused(found[MAX_LIST].column, f"a list has at most {MAX_LIST} values.")
        return Listed(found)

    def spread(self, low: Located, high: Located) -> Range:
        return Range(low, high)

    def of_path(self, path: Path) -> Located:
        return Located(path.column, path)

    def path(self, first: Token, *steps: Located) -> Path:
        return typecheck.path_of([Located(_column(first), str(first)), *steps])

    def dotted(self, name: Token) -> Located:
        return Located(_column(name), str(name))

    def quoted(self, name: Token) -> Located:
        return Located(_column(name), _unquoted(name))

    def text(self, token: Token) -> Located:
        return Located(_column(token), _unquoted(token))

    def number(self, token: Token) -> Located:
        return Located(_column(token), _number(token))

    def true(self, token: Token) -> Located:
        return Located(column=_column(token), value=True)

    def false(self, token: Token) -> Located:
        return Located(column=_column(token), value=False)

    def date(self, token: Token) -> Located:
        return Located(_column(token), _moment(token))

    def present(self, token: Token) -> Located:
        return Located(_column(token), Ahead(timedelta()))

    def ahead(self, token: Token, sign: Token, span: Token) -> Located:
        seconds = int(span[:-1]) * _UNITS[span[-1].lower()]
        if seconds > MAX_DAYS * 86_400:
            raise FilterRefused(_column(span), f"a span is at most {MAX_DAYS} days.")
        return Located(_column(token), Ahead(timedelta(seconds=seconds if sign == "+" else -seconds)))


def _contains(left: Located, right: Located) -> Node:
    path = typecheck.subject(left, "contains")
    if typecheck.type_of(path) == "date":
        raise FilterRefused(path.column, f"'{path}' is a date; compare it with < or >.")
    if isinstance(right.value, Path):
        typecheck.check_operand(path, "in", right)
    elif not isinstance(right.value, str):
        raise FilterRefused(right.column, 'contains takes a text such as "Drama".')
    return Test(path, "contains", right.value)


def _within(left: Located, many: Any) -> Node:
    if isinstance(many, Located):
        assert isinstance(many.value, Path)
        if not isinstance(left.value, Path):  # "Drama" in categories
            return _contains(many, left)
        typecheck.check_operand(left.value, "in", many)
        return Test(left.value, "in", many.value)
    path = typecheck.subject(left, "in")
    if isinstance(many, Range):
        for end in many:
            typecheck.check_operand(path, "<=", end)
        return All((Test(path, ">=", many.low.value), Test(path, "<=", many.high.value)), 2)
    for each in many.values:
        typecheck.check_operand(path, "in", each)
    return Test(path, "in", tuple(each.value for each in many.values))


def _deeper(*parts: Node) -> int:
    depth = 1 + max(part.depth for part in parts)
    if depth > MAX_DEPTH:
        raise FilterRefused(1, f"at most {MAX_DEPTH} levels of and, or and not.")
    return depth


def _column(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _unquoted(token: Token) -> str:
    text = re.sub(r"\\(.)", lambda found: _ESCAPED.get(found[1], found[1]), token[1:-1], flags=re.DOTALL)
    if len(text) > MAX_TEXT:
        raise FilterRefused(_column(token), f"a text has at most {MAX_TEXT} characters.")
    return text


def _number(token: Token) -> int | float:
    value = float(token) if re.search("[.eE]", token) else int(token)
    if abs(value) > (MAX_INTEGER if isinstance(value, int) else 1e300):
        raise FilterRefused(_column(token), "the number is too large; a whole number may be at most 2^53.")
    return value


def _moment(token: Token) -> datetime:
    try:
        moment = datetime.fromisoformat(token)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise FilterRefused(_column(token), f"there is no date {token}.") from None
