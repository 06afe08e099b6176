"""The language of filters and boosts: conditions on an item and the user, evaluated in SQL and in memory."""

from recommendations.filter_language.ast import FilterRefused, Node
from recommendations.filter_language.cost import FilterTooCostly, cost
from recommendations.filter_language.evaluator import holds
from recommendations.filter_language.parser import parse
from recommendations.filter_language.partial_eval import Person, bind
from recommendations.filter_language.sql import condition

__all__ = ["FilterRefused", "FilterTooCostly", "Node", "Person", "bind", "condition", "cost", "holds", "parse"]
