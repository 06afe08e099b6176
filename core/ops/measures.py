"""Values of the deployment as a whole, which a task measures and every web process reports.

A gauge in the process that measured last would keep its value when another worker takes the next turn. So the values
go to Redis, and a scrape reads them there; they disappear when nobody has measured for a while.
"""

import json
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.utils.module_loading import import_string

from core import redis
from core.metrics.families import Value, declared, exposition
from core.ops import declarations
from core.redis import RedisUnavailable

KEY = "docent:measures"
KEPT_SECONDS = 300
_log = structlog.get_logger(__name__)


class Measure(Protocol):
    """One of settings.MEASURES."""

    def __call__(self, *, now: datetime) -> Iterable[Value]:
        """Returns the present values."""
        ...


def measure(*, now: datetime) -> int:
    """Runs settings.MEASURES and stores their values; returns how many. One that fails is logged, the others count.

    Raises: RedisUnavailable.
    """
    found: list[tuple[str, list[str], float]] = []
    for name in settings.MEASURES:
        run: Measure = import_string(name)
        found += _values(name, lambda run=run: run(now=now))  # type: ignore[misc]
    body = json.dumps({"at": time.time(), "values": found})
    redis.call("measures", lambda client: client.set(KEY, body, ex=KEPT_SECONDS))
    return len(found)


def _values(name: str, run: Callable[[], Iterable[Value]]) -> list[tuple[str, list[str], float]]:
    try:
        return [(family.name, list(labels), value) for family, labels, value in run()]
    except (DatabaseError, RedisUnavailable, OSError) as error:
        _log.warning("measure_failed", measure=name, error=str(error))
        return []


def metrics() -> bytes:
    """Lines for Prometheus with the last values; empty without Redis."""
    try:
        body = redis.read("measures", lambda client: client.get(KEY))
    except RedisUnavailable:
        return b""
    stored = json.loads(body)["values"] if body else []
    declarations.load()
    # A family that another version of the code has declared is not known here.
    known = [(declared.families[name], labels, value) for name, labels, value in stored if name in declared.families]
    return exposition(each for each in known if len(each[0].labels) == len(each[1]))
