"""Translation of conditions to SQL over the table of items, with all values as parameters.

Each comparison is true or false and never NULL, so that `NOT` means the same as in memory. Texts sort by code points
(COLLATE "C"). No cast can fail, because a CASE checks the type first.
"""

import json
from datetime import datetime
from typing import Any

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from recommendations.filter_language import dates as moments
from recommendations.filter_language.ast import All, Always, AnyOf, Node, Not, Test
from recommendations.filter_language.typecheck import type_of

TABLE = "recommendations_item"
Fragment = tuple[str, list[Any]]
_TIMES_NAMED = 4
_OPERATORS = frozenset({"=", "<", "<=", ">", ">="})


def condition(node: Node) -> RawSQL:
    """The bound condition, for `Item.objects.filter(...)`."""
    sql, parameters = fragment(node)
    return RawSQL(sql, parameters, output_field=BooleanField())  # noqa: S611  # constants and parameters only


def fragment(node: Node) -> Fragment:
    """The SQL of a bound condition and its parameters."""
    if isinstance(node, Always):
        return ("true" if node.value else "false"), []
    if isinstance(node, Not):
        sql, parameters = fragment(node.part)
        return f"(NOT {sql})", parameters
    if isinstance(node, (All, AnyOf)):
        found = [fragment(part) for part in node.parts]
        word = " AND " if isinstance(node, All) else " OR "
        return f"({word.join(sql for sql, _ in found)})", [each for _, parameters in found for each in parameters]
    return _test(node)


def _test(node: Test) -> Fragment:
    kind = type_of(node.path)
    if node.path.attribute is not None:
        return _attribute(node.path.attribute, node.op, node.operand)
    column = f'"{TABLE}"."{node.path.name}"'
    if kind == "text":
        return _text(column, node.op, node.operand)
    return _list(column, node.op, node.operand) if kind == "list" else _date(column, node.op, node.operand)


def _text(column: str, op: str, operand: Any) -> Fragment:
    if op == "exists":
        return f"({column} <> '')", []
    if op == "contains":
        return _part_of(column), [_several(operand)]
    if op == "in":
        return f"({column} = ANY (%s::text[]))", [list(operand)]
    return f'({column} COLLATE "C" {_operator(op)} %s::text)', [operand]


def _list(column: str, op: str, operand: Any) -> Fragment:
    if op == "exists":
        return f"(cardinality({column}) > 0)", []
    if op == "contains":
        return f"({column}::text[] && %s::text[])", [_several(operand)]
    return f"({column}::text[] && %s::text[])", [list(operand)]


def _date(column: str, op: str, operand: Any) -> Fragment:
    if op == "exists":
        return f"({column} IS NOT NULL)", []
    if op == "in":
        return f"COALESCE({column} = ANY (%s::timestamptz[]), false)", [list(operand)]
    return f"COALESCE({column} {_operator(op)} %s::timestamptz, false)", [operand]


def _attribute(name: str, op: str, operand: Any) -> Fragment:
    value, text = f'"{TABLE}"."attributes" -> %s', f'"{TABLE}"."attributes" ->> %s'
    if op == "exists":
        return f"""COALESCE(({value}) NOT IN ('""'::jsonb, '[]'::jsonb), false)""", [name]
    if op == "contains":
        sql = (
            f"(CASE jsonb_typeof({value}) WHEN 'array' THEN ({value}) ?| %s::text[]"
            f" WHEN 'string' THEN {_part_of(text)} ELSE false END)"
        )
        parts = _several(operand)
        return sql, [name, name, parts, parts, name]
    if op == "in":
        return _any_of(name, operand)
    if isinstance(operand, datetime):
        return _dated(text, name, op, operand)
    if op == "=":
        return f"COALESCE(({value}) = %s::jsonb, false)", [name, json.dumps(operand)]
    if isinstance(operand, str):
        compared = f'({text}) COLLATE "C" {_operator(op)} %s::text'
        return f"(CASE jsonb_typeof({value}) WHEN 'string' THEN {compared} ELSE false END)", [name, name, operand]
    compared = f"({value})::numeric {_operator(op)} %s::numeric"
    return f"(CASE jsonb_typeof({value}) WHEN 'number' THEN {compared} ELSE false END)", [name, name, repr(operand)]


def _any_of(name: str, operand: Any) -> Fragment:
    value = f'"{TABLE}"."attributes" -> %s'
    plain = [each for each in operand if not isinstance(each, datetime)]
    texts = [each for each in plain if isinstance(each, str)]
    parts = [
        f"COALESCE(({value}) = ANY (%s::jsonb[]), false)",
        f"(CASE jsonb_typeof({value}) WHEN 'array' THEN ({value}) ?| %s::text[] ELSE false END)",
    ]
    parameters: list[Any] = [name, [json.dumps(each) for each in plain], name, name, texts]
    if dates := [moments.told(each) for each in operand if isinstance(each, datetime)]:
        parts.append(f"""COALESCE({_moment(f'"{TABLE}"."attributes" ->> %s')} = ANY (%s::text[]), false)""")
        parameters += [name] * _TIMES_NAMED + [dates]
    return f"({' OR '.join(parts)})", parameters


def _dated(text: str, name: str, op: str, operand: datetime) -> Fragment:
    """Compares texts only: `->>` of a number, boolean or list never looks like a date."""
    sql = f'COALESCE({_moment(text)} COLLATE "C" {_operator(op)} %s::text, false)'
    return sql, [*([name] * _TIMES_NAMED), moments.told(operand)]


def _moment(text: str) -> str:
    """The moment that a text tells, as a text; it takes the attribute's name _TIMES_NAMED times."""
    return (
        f"(CASE WHEN ({text}) ~ '{moments.DAY}' THEN ({text}) || '{moments.MIDNIGHT}'"
        f" WHEN ({text}) ~ '{moments.SECOND}' THEN left({text}, {moments.LENGTH}) END)"
    )


def _part_of(text: str) -> str:
    """SQL that tests a text for one of several parts, which are the first parameters."""
    return f"EXISTS (SELECT FROM unnest(%s::text[]) AS part WHERE strpos({text}, part) > 0)"


def _several(operand: Any) -> list[str]:
    return list(operand) if isinstance(operand, tuple) else [operand]


def _operator(op: str) -> str:
    assert op in _OPERATORS
    return op
