"""Restricts browsers to the attributes that the tenant has released by name.

A filter answers yes or no, so that repeated filters reveal any value. A browser may therefore filter only by released
attributes, whether others exist or not.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace

from accounts.tenancy import tenant_cache
from recommendations.filter_language import FilterRefused, Node, parse
from recommendations.filter_language.ast import All, AnyOf, Not, Path, Test
from recommendations.serving.read.list_query import Options

SEGMENTS = "segments"


def narrowed(options: Options, *, tenant_id: int) -> Options:
    """Return the options as they apply to a browser.

    Raises: FilterRefused where the filter asks for what is not released.
    """
    facts = tenant_cache.tenant(tenant_id)
    of_items = facts.browser_item_attributes if facts else frozenset()
    of_people = facts.browser_user_attributes if facts else frozenset()
    if options.filter:
        _check(parse(options.filter), of_items=of_items, of_people=of_people)
    return replace(options, item_attributes=of_items)


def _check(node: Node, *, of_items: Collection[str], of_people: Collection[str]) -> None:
    for path in _paths(node):
        hidden = path.attribute or (SEGMENTS if path.of_person and path.name == SEGMENTS else "")
        if hidden and hidden not in (of_people if path.of_person else of_items):
            raise FilterRefused(path.column, f"'{path}' is not released to browsers; ask from your backend instead.")


def _paths(node: Node) -> Iterator[Path]:
    if isinstance(node, (All, AnyOf)):
        for part in node.parts:
            yield from _paths(part)
    elif isinstance(node, Not):
        yield from _paths(node.part)
    elif isinstance(node, Test):
        yield node.path
        if isinstance(node.operand, Path):
            yield node.operand
