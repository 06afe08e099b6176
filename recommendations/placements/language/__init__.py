"""The language of filters and boosts: conditions over an item and the person who looks, in SQL and in memory."""

from recommendations.placements.language.binding import Person, bind
from recommendations.placements.language.cost import FilterTooCostly, cost
from recommendations.placements.language.nodes import FilterRefused, Node
from recommendations.placements.language.parsing import parse
from recommendations.placements.language.predicate import holds
from recommendations.placements.language.sql import condition

__all__ = ["FilterRefused", "FilterTooCostly", "Node", "Person", "bind", "condition", "cost", "holds", "parse"]
