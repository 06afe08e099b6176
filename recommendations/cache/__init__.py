"""Lists in Redis: the key scheme, the stored form, and what keeps both true to Postgres."""

from recommendations.cache.availability import publish_availability
from recommendations.cache.forget import forget_places, forget_user, forget_where

__all__ = ["forget_places", "forget_user", "forget_where", "publish_availability"]
