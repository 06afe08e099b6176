"""Redis clients and their options: ours, django-redis's and Celery's."""

from core.redis.access import CacheConnectionFactory, RedisUnavailable, breaker, call, client, read, warm_up
from core.redis.address import parse
from core.redis.broker import broker_options, broker_tls, broker_url
from core.redis.connection import connect, options

__all__ = [
    "CacheConnectionFactory",
    "RedisUnavailable",
    "breaker",
    "broker_options",
    "broker_tls",
    "broker_url",
    "call",
    "client",
    "connect",
    "options",
    "parse",
    "read",
    "warm_up",
]
