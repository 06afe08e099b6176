"""Measures CPU and wall seconds of named parts of a benchmark."""

import cProfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """CPU and wall seconds by name; with `profiled` set to a name, the profile of what had it."""

    def __init__(self, profiled: str = "") -> None:
        self.cpu: dict[str, float] = defaultdict(float)
        self.wall: dict[str, float] = defaultdict(float)
        self.profiled, self.profile = profiled, cProfile.Profile()

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add what the body takes."""
        cpu, wall = time.process_time(), time.perf_counter()
        if name == self.profiled:
            self.profile.enable()
        yield
        self.profile.disable()
        self.cpu[name] += time.process_time() - cpu
        self.wall[name] += time.perf_counter() - wall
