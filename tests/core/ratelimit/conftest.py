"""A Redis server of the test's own, to be killed and frozen, and web processes that hammer it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from core import redis
from core.ratelimit import local_limiter
from tests.core import own_valkey
from tests.core.own_valkey import OwnServer

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _forget_the_last_test() -> Iterator[None]:
    local_limiter.buckets.clear()
    local_limiter.ledger.clear()
    yield
    local_limiter.buckets.clear()
    local_limiter.ledger.clear()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[OwnServer]:
    """The process's Redis client talks to a server of this test's own."""
    server = own_valkey.start(tmp_path)
    try:
        with override_settings(REDIS_URL=server.url()):
            _new_client()
            yield server
            _new_client()
    finally:
        own_valkey.end(server)


def _new_client() -> None:
    if redis.client.cache_info().currsize:
        redis.client().close()
        redis.client().connection_pool.disconnect()
    redis.client.cache_clear()
    redis.breaker.record_success()


Hammer = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def hammer() -> Iterator[Hammer]:
    """`hammer(processes=2, threads=4, calls=400, ...)` returns the report of each process."""
    started: list[subprocess.Popen[str]] = []

    def run(
        *,
        processes: int = 2,
        threads: int = 4,
        calls: int = 0,
        seconds: float = 0,
        pause: float = 0,
        count: int,
        window: int,
        before: Callable[[], None] = lambda: None,
    ) -> list[dict[str, Any]]:
        environment = {**os.environ, "REDIS_URL": settings.REDIS_URL, "RATE_LIMIT_PROCESSES": str(processes)}
        environment.pop("PYTEST_XDIST_WORKER", None)
        if calls:  # it is about counting, and a busy machine must not turn it into an outage
            environment["REDIS_READ_TIMEOUT_SECONDS"] = "5"
        command = [sys.executable, "-m", "tests.core.ratelimit.hammer"]
        command += [str(each) for each in (threads, calls, seconds, pause, count, window)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.extend(subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) for _ in range(processes))
        for each in started:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        before()
        for each in started:
            assert each.stdin is not None
            each.stdin.write("go\n")
            each.stdin.flush()
        return [json.loads(each.communicate(timeout=60)[0]) for each in started]

    yield run
    for each in started:
        if each.poll() is None:
            each.kill()
        each.communicate()


@pytest.fixture
def until() -> Callable[..., float]:
    """`until(condition, seconds=5)` waits for it and returns how long that took."""

    def wait(condition: Callable[[], bool], *, seconds: float) -> float:
        started = time.monotonic()
        while not condition():
            assert time.monotonic() - started < seconds, f"not within {seconds} s"
            time.sleep(0.05)
        return time.monotonic() - started

    return wait
