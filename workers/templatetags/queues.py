"""The template tag by which the admin says where work is left lying."""

from django import template

from core.redis import RedisUnavailable
from workers import presence

register = template.Library()


@register.simple_tag
def untaken_queues() -> list[str]:
    """Queues that nobody takes, and `beat` where it is not there; empty where Redis cannot say."""
    try:
        found = presence.look()
    except RedisUnavailable:
        return []
    return [*found.untaken, *([] if found.beat else [presence.BEAT])]
