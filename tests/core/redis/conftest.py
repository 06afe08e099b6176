"""A client of another server than the test run's, for one test."""

from collections.abc import Callable, Iterator

import pytest

from core import redis


@pytest.fixture
def redis_at(settings) -> Iterator[Callable[[str], None]]:
    """`redis_at(url)`: from now on the process's client speaks to that server."""

    def use(url: str) -> None:
        settings.REDIS_URL = url
        redis.client.cache_clear()
        redis.breaker.record_success()

    yield use
    redis.client.cache_clear()
    redis.breaker.record_success()
