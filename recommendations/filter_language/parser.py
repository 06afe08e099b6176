"""Parses the text of conditions; errors name the column.

    categories contains "Drama" and not (attributes.price > 20 or attributes.sold_out = true)
    attributes.brand in ["A", "B"] or attributes.price in 10..20
    created_at > now - 30d and attributes.city = user.attributes.city and attributes.rating exists

The parser is LALR(1) with actions at each reduction: neither nesting nor length can exhaust the stack.
"""

import re
from functools import lru_cache
from typing import Any

from lark import Lark, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from recommendations.filter_language.ast import All, AnyOf, FilterRefused, Node, Not
from recommendations.filter_language.grammar import GRAMMAR, spoken
from recommendations.filter_language.transformer import Builder

MAX_LENGTH = 2000
MAX_TESTS = 50


@lru_cache(maxsize=512)
def parse(text: str) -> Node:
    """Parses a condition.

    Raises: FilterRefused.
    """
    if len(text) > MAX_LENGTH:
        raise FilterRefused(MAX_LENGTH + 1, f"a filter may have at most {MAX_LENGTH} characters; this has {len(text)}.")
    if bad := re.search("[\x00\ud800-\udfff]", text):
        raise FilterRefused(bad.start() + 1, "this character is not allowed.")
    if not text.strip():
        raise FilterRefused(1, 'the filter is empty; write a condition such as categories contains "Drama".')
    try:
        node: Node = _parser().parse(text)
    except VisitError as error:
        if isinstance(error.orig_exc, FilterRefused):
            raise error.orig_exc from None
        raise
    except UnexpectedInput as error:
        raise _refusal(text, error) from None
    if (tests := count(node)) > MAX_TESTS:
        raise FilterRefused(1, f"at most {MAX_TESTS} comparisons are allowed; this has {tests}.")
    return node


def count(node: Node) -> int:
    """The number of comparisons."""
    if isinstance(node, (All, AnyOf)):
        return sum(map(count, node.parts))
    return count(node.part) if isinstance(node, Not) else 1


@lru_cache(maxsize=1)
def _parser() -> Any:
    return Lark(GRAMMAR, parser="lalr", transformer=Builder())


def _refusal(text: str, error: UnexpectedInput) -> FilterRefused:
    if isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0
        if text[at] in "\"'":
            return FilterRefused(at + 1, "the text that starts here has no closing quotation mark.")
        return FilterRefused(at + 1, f"found '{text[at]}'; expected {spoken(error.allowed or ())}.")
    assert isinstance(error, UnexpectedToken)
    wanted = spoken(error.accepts or error.expected)
    if error.token.type == "$END":
        return FilterRefused(len(text) + 1, f"the filter ends here; expected {wanted}.")
    return FilterRefused((error.token.start_pos or 0) + 1, f"found '{error.token}'; expected {wanted}.")
