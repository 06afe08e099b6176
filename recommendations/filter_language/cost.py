"""Cost of a condition in comparisons per item, which the length of its text says little about.

A list counts as its values, a comparison with a date in an attribute as three, a look into a description as five. What
the person brings is known once the condition is bound; before that a list of the person's counts as ten.
"""

from datetime import datetime

from core.errors import FieldError, InvalidInput
from recommendations.filter_language.ast import Ahead, All, Always, AnyOf, Node, Not, Path, Test

# The limit per condition of an API client, and for the filter and boosts of a placement together.
MAX_COST = 400
# The limit for all conditions that the users of a batch make of one filter.
MAX_BATCH_COST = 2_000
MAX_BROWSER_COST = 20
# The comparisons of one request that scans the newest items: a filter with cost 20 scans 100,000 of them.
WORK = 2_000_000
# A request counts as one more for each such amount of cost.
COST_OF_UNIT = 25
UNBOUND = 10
_WEIGHTS = {"description": 5}
_OF_DATE = 3


class FilterTooCostly(InvalidInput):
    """The condition is valid, but needs more comparisons than the caller may use."""

    title = "The filter costs too much"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=[FieldError("/filter", "too_costly", detail)])


def cost(node: Node) -> int:
    """The comparisons per item."""
    if isinstance(node, (All, AnyOf)):
        return sum(map(cost, node.parts))
    if isinstance(node, Not):
        return cost(node.part)
    return 0 if isinstance(node, Always) else _of_test(node)


def units(node: Node | None) -> int:
    """Extra units that a request with this filter is charged."""
    return 0 if node is None else cost(node) // COST_OF_UNIT


def refuse_above(node: Node, most: int) -> None:
    """Raises: FilterTooCostly."""
    if (found := cost(node)) > most:
        raise FilterTooCostly(
            f"The filter costs {found:,} comparisons per item; at most {most:,} are allowed. A list counts as its "
            "number of values."
        )


def _of_test(test: Test) -> int:
    operand = test.operand
    values = operand if isinstance(operand, tuple) else (operand,)
    times = max(1, len(values))
    if isinstance(operand, Path) and test.op in ("in", "contains"):
        times = UNBOUND
    dated = test.path.attribute is not None and any(isinstance(each, (datetime, Ahead)) for each in values)
    weight = _OF_DATE if dated else 1 if test.path.of_person else _WEIGHTS.get(test.path.name, 1)
    return times * weight
