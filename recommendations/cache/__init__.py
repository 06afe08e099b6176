"""Lists in Redis: the key scheme, the stored form, and what keeps both true to Postgres."""

from recommendations.cache.invalidation import forget_places, forget_user, forget_where
from recommendations.cache.withdrawn_items import publish_availability

__all__ = ["forget_places", "forget_user", "forget_where", "publish_availability"]
