"""The choice of requests that get a log line: all that write, fail or are slow, and a share of the reads.

Metrics count every request. At a thousand reads a second a line for each would cost more than the reads.
"""

import random
from collections.abc import Mapping

from django.conf import settings
from django.http import HttpRequest

SLOW_SECONDS = 0.22
"""Reads that miss their objective are always logged."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_read_logged(seconds: float) -> bool:
    """Decides for a successful read that took so long."""
    return seconds > SLOW_SECONDS or random.random() < settings.LOG_READ_SAMPLE  # noqa: S311  # a sample, not a secret


def is_logged(request: HttpRequest, *, route: str, status: int, seconds: float) -> bool:
    """Decides for an answered request. Pages of the admin are always logged: staff see data of others there."""
    return status >= 400 or not _reads(request, route) or is_read_logged(seconds)


def _reads(request: HttpRequest, route: str) -> bool:
    if request.method in _SAFE:
        return route != "admin"
    match = request.resolver_match
    scope = getattr(getattr(match.func, "cls", None), "scope", "") if match else ""
    wanted = scope.get(request.method, "") if isinstance(scope, Mapping) else scope
    return str(wanted).endswith(":read")
