"""The template tag for the admin's warning about queues without workers."""

from django import template

from core.redis import RedisUnavailable
from workers import presence

register = template.Library()


@register.simple_tag
def untaken_queues() -> list[str]:
    """Queues without workers, and `beat` if it is not running; empty if Redis does not answer."""
    try:
        found = presence.look()
    except RedisUnavailable:
        return []
    return [*found.untaken, *([] if found.beat else [presence.BEAT])]
