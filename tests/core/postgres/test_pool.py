"""The pool's metrics: connections in use, threads that wait, and for how long."""

import threading
from typing import Any, cast

import pytest
from django.db import connection
from prometheus_client import REGISTRY
from psycopg_pool import PoolTimeout


def pool_metrics():
    """Utilisation, threads that wait, and how many have waited."""
    names = ("db_pool_utilization", "db_pool_requests_waiting", "db_pool_wait_seconds_count")
    return tuple(REGISTRY.get_sample_value(name) for name in names)


def test_metrics_follow_connections_and_threads_that_wait(proxy):
    connection.ensure_connection()
    pool = cast(Any, connection).pool
    assert pool.max_size == 6
    used, waiting, had = pool_metrics()
    assert (used, waiting) == (pytest.approx(1 / 6), 0)

    held = [pool.getconn() for _ in range(5)]
    assert pool_metrics() == (1.0, 0, had + 5)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(pool.getconn(timeout=20)))
    thread.start()
    while pool_metrics()[1] != 1:
        assert thread.is_alive()
    pool.putconn(held.pop())
    thread.join(20)

    assert pool_metrics() == (1.0, 0, had + 6)
    for each in (*held, *seen):
        pool.putconn(each)
    connection.close()
    assert pool_metrics()[:2] == (0.0, 0)


def test_one_that_gives_up_is_not_counted_as_a_user(proxy):
    connection.ensure_connection()
    pool = cast(Any, connection).pool
    held = [pool.getconn() for _ in range(5)]
    with pytest.raises(PoolTimeout):
        pool.getconn(timeout=0.05)

    assert pool_metrics()[:2] == (1.0, 0)
    for each in held:
        pool.putconn(each)
    connection.close()
    assert pool_metrics()[:2] == (0.0, 0)
