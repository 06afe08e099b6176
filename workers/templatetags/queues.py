"""The template tag for the admin's warning about queues that nobody consumes."""

from django import template

from core.redis import RedisUnavailable
from workers import presence

register = template.Library()


@register.simple_tag
def untaken_queues() -> list[str]:
    """Queues without a worker or with one that consumes nothing, and `beat` if it is away; empty without Redis."""
    try:
        found = presence.look()
    except RedisUnavailable:
        return []
    return [*found.untaken, *found.stalled, *([] if found.beat else [presence.BEAT])]
