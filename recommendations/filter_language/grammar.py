"""The grammar of conditions (LALR(1)), and the names of its terminals in errors."""

from collections.abc import Iterable, Mapping

GRAMMAR = r"""
    start: any
    any: all ("or"i all)*
    all: not_ ("and"i not_)*
    ?not_: "not"i not_ -> negation
         | "(" any ")"
         | test
    ?test: operand COMPARISON operand -> compared
         | operand "contains"i operand -> contains
         | operand "in"i many -> within
         | operand "not"i "in"i many -> without
         | operand "exists"i -> exists
    ?many: "[" [value ("," value)*] "]" -> listed
         | value ".." value -> spread
         | path -> of_path
    ?operand: value | path -> of_path
    ?value: STRING -> text
          | NUMBER -> number
          | TRUE -> true
          | FALSE -> false
          | DATE -> date
          | NOW -> present
          | NOW SIGN DURATION -> ahead
    path: NAME step*
    ?step: "." NAME -> dotted
         | "[" STRING "]" -> quoted

    COMPARISON: "<=" | ">=" | "!=" | "=" | "<" | ">"
    SIGN: "+" | "-"
    TRUE: "true"i
    FALSE: "false"i
    NOW: "now"i
    NAME: /[a-z_][a-z0-9_]*/i
    STRING: /"(\\.|[^"\\])*"|'(\\.|[^'\\])*'/s
    DATE.3: /\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2}))?/
    DURATION.2: /\d+[smhdw]\b/
    NUMBER.1: /-?\d+(\.\d+)?(e[+-]?\d+)?/i
    %ignore /\s+/
"""
_SPOKEN: Mapping[str, str] = {
    "COMPARISON": "= != < <= > >=",
    "RPAR": "a closing )",
    "LPAR": "(",
    "RSQB": "a closing ]",
    "LSQB": "[",
    "COMMA": "a comma",
    "DOT": ".",
    "__ANON_0": "..",
    "NAME": "a name",
    "STRING": "a text in quotation marks",
    "NUMBER": "a number",
    "DATE": "a date",
    "DURATION": "a span such as 7d",
    "SIGN": "+ or -",
    "$END": "the end",
}
_VALUES = frozenset({"STRING", "NUMBER", "DATE", "NOW", "TRUE", "FALSE"})
_FIELD = "a field such as title or attributes.price"
_VALUE = 'a value such as 5, "text", true or now - 7d'


def spoken(wanted: Iterable[str]) -> str:
    """Describe the expected tokens in words."""
    left = set(wanted)
    words = []
    if left >= _VALUES:
        words = [f"{_FIELD}, or {_VALUE}" if "NAME" in left else _VALUE]
        left -= _VALUES | {"NAME"}
    words += sorted(_SPOKEN.get(each, each.lower()) for each in left)
    return " or ".join(words) or "nothing more"
