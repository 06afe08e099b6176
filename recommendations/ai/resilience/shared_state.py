"""A small JSON value that all processes update through pure functions: the breaker's and the rate limiter's state.

Compare-and-set in one Redis script, with the server's clock, so that hosts need not agree on the time. The rules are
Python functions of (state, now); they run again when another process was faster. While Redis is away each process goes
on by itself with a state of its own, under the same rules.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from core import redis
from core.redis import RedisUnavailable

T = TypeVar("T")
Value = Mapping[str, Any]

KEEP_SECONDS = 30 * 86_400
ATTEMPTS = 100
"""A change that loses this many races in a row counts as Redis being away."""

# ARGV: the value that the change was made from ('' for none), the new value ('' to read only), seconds to keep it.
# Returns the server's time in milliseconds, the current value, and whether it is the new one.
_COMPARE_AND_SET = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('GET', KEYS[1]) or ''
if ARGV[2] == '' or held ~= ARGV[1] then return {now, held, 0} end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return {now, ARGV[2], 1}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateView:
    """A rule's input: the value (empty at first), the time in seconds, and whether all processes share the value."""

    value: Value
    now: float
    shared: bool


class SharedState:
    """One value under one key. Safe among threads and processes."""

    def __init__(self, *, key: str, purpose: str, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._purpose = purpose
        self._clock = clock
        self._lock = threading.Lock()
        self._local: Value = {}

    def update(self, rule: Callable[[StateView], tuple[Value | None, T]]) -> T:
        """Apply a rule and return its result; a rule that returns None as the new value changes nothing.

        The rule may run several times, and must not do anything but compute.
        """
        try:
            return self._update_shared(rule)
        except RedisUnavailable:
            return self._update_local(rule)

    def _update_shared(self, rule: Callable[[StateView], tuple[Value | None, T]]) -> T:
        now, stored, _ = self._script(b"", "")
        for attempt in range(ATTEMPTS):
            view = StateView(value=json.loads(stored) if stored else {}, now=now / 1000, shared=True)
            wanted, result = rule(view)
            if wanted is None:
                return result
            now, stored, done = self._script(stored, json.dumps(wanted, separators=(",", ":")))
            if done:
                return result
            if attempt > 2:
                time.sleep(random.uniform(0, 0.002))  # noqa: S311  # spreads writers, no secret
        raise RedisUnavailable(f"{self._key} was changed by others {ATTEMPTS} times in a row")

    def _update_local(self, rule: Callable[[StateView], tuple[Value | None, T]]) -> T:
        with self._lock:
            wanted, result = rule(StateView(value=self._local, now=self._clock(), shared=False))
            if wanted is not None:
                self._local = wanted
            return result

    def _script(self, expected: bytes, wanted: str) -> tuple[int, bytes, int]:
        now, stored, done = redis.call(
            self._purpose,
            lambda client: client.eval(_COMPARE_AND_SET, 1, self._key, expected, wanted, KEEP_SECONDS),
        )
        return int(now), bytes(stored), int(done)
