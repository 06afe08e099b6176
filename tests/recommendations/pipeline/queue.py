"""Reads the messages that were really sent to the broker, without taking them."""

import base64
import json

from core import redis
from workers import queues

QUEUES = tuple(queue.name for queue in queues.QUEUES)


def sent(task):
    """The arguments of the waiting messages for this task, in the order in which they were sent."""
    found = []
    for queue in QUEUES:
        for raw in reversed(redis.client().lrange(queue, 0, -1)):
            message = json.loads(raw)
            if message["headers"]["task"] == task:
                _, arguments, _ = json.loads(base64.b64decode(message["body"]))
                found.append(arguments)
    return found
