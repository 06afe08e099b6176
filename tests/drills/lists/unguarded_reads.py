"""A web process that does not ask which items were withdrawn: what the drill of withdrawn items must notice."""

from config.wsgi import application
from recommendations.cache import withdrawn_items

__all__ = ["application"]

withdrawn_items.parse = lambda raw: {}  # the parameter has its name
