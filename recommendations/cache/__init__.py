"""Lists in Redis: the key scheme, the stored form, and what keeps both true to Postgres."""

from recommendations.cache.availability import publish_availability
from recommendations.cache.store import forget_user, forget_where

__all__ = ["forget_user", "forget_where", "publish_availability"]
