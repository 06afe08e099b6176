"""The limiter that a list read asks for admission."""

from collections.abc import Sequence
from typing import Protocol

from core.ratelimit import Decision, Read


class Limiter(Protocol):
    """Admission of one request: its rate, its quota, and what it costs."""

    def admit(self, reads: Sequence[Read]) -> Decision:
        """Judge the request and run these reads in the same round trip to Redis.

        Raises: the refusal.
        """
