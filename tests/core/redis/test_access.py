"""Time-outs, retries and the breaker, measured against servers that misbehave."""

import time

import pytest
from redis.exceptions import ResponseError

from core import redis
from core.metrics import REDIS_BREAKER_OPENED, REDIS_ERRORS
from tests.core import sockets


def timed(function, *arguments):
    """Seconds until the function raised RedisUnavailable."""
    started = time.perf_counter()
    with pytest.raises(redis.RedisUnavailable):
        function(*arguments)
    return time.perf_counter() - started


def ping(client):
    return client.ping()


class TestTimeLimits:
    def test_an_unreachable_server_costs_a_hundred_milliseconds(self, redis_at):
        with sockets.unreachable() as server:
            redis_at(server.url)

            assert 0.1 <= timed(redis.call, "test", ping) < 0.15

    def test_a_hung_server_costs_two_hundred_milliseconds(self, redis_at):
        with sockets.black_hole() as server:
            redis_at(server.url)

            assert 0.2 <= timed(redis.call, "test", ping) < 0.26

    @pytest.mark.parametrize("function", [redis.call, redis.read])
    def test_nothing_is_repeated_after_a_time_out(self, redis_at, function):
        with sockets.black_hole() as server:
            redis_at(server.url)

            assert timed(function, "test", ping) < 0.26
            assert len(server.accepted) == 1

    def test_a_refusing_server_costs_next_to_nothing(self, redis_at):
        redis_at(f"redis://127.0.0.1:{sockets.closed_port()}/0")

        assert timed(redis.read, "test", ping) < 0.05

    def test_an_exhausted_pool_is_no_error_of_another_kind(self, redis_at, redis_server, settings):
        settings.REDIS_MAX_CONNECTIONS = 1
        redis_at(settings.REDIS_URL)
        held = redis.client().connection_pool.get_connection()
        try:
            assert timed(redis.call, "test", ping) < 0.1
        finally:
            redis.client().connection_pool.release(held)


class TestRetries:
    def test_a_read_is_repeated_once_after_a_broken_connection_with_jitter(self, redis_at):
        with sockets.hanging_up() as server:
            redis_at(server.url)
            timed(redis.read, "test", ping)

            assert len(server.accepted) == 2
            pause = server.accepted[1] - server.accepted[0]
            assert 0.005 <= pause < 0.06

    def test_the_pause_differs(self, redis_at):
        pauses = set()
        with sockets.hanging_up() as server:
            redis_at(server.url)
            for _ in range(6):
                redis.breaker.record_success()
                server.accepted.clear()
                timed(redis.read, "test", ping)
                pauses.add(round(server.accepted[1] - server.accepted[0], 4))

        assert len(pauses) > 3

    def test_a_call_is_not_repeated(self, redis_at):
        with sockets.hanging_up() as server:
            redis_at(server.url)
            timed(redis.call, "test", ping)

            assert len(server.accepted) == 1

    def test_a_connection_that_the_server_dropped_is_replaced_in_silence(self, redis_at, redis_server, settings):
        redis_at(settings.REDIS_URL)
        redis.call("test", ping)
        (mine,) = [each["id"] for each in redis.client().client_list() if each["addr"] == _own_address()]
        redis_server.client_kill_filter(_id=mine)

        assert redis.call("test", ping) is True
        assert redis.read("test", ping) is True


def _own_address():
    pool = redis.client().connection_pool
    connection = pool.get_connection()
    try:
        host, port = connection._sock.getsockname()
    finally:
        pool.release(connection)
    return f"{host}:{port}"


class TestBreaker:
    def test_opens_after_three_failures_and_answers_at_once(self, redis_at):
        opened = REDIS_BREAKER_OPENED._value.get()
        with sockets.black_hole() as server:
            redis_at(server.url)
            for _ in range(3):
                assert timed(redis.call, "test", ping) >= 0.2

            assert timed(redis.call, "test", ping) < 0.01
            assert len(server.accepted) == 3
            assert REDIS_BREAKER_OPENED._value.get() == opened + 1

    def test_a_read_does_not_wait_for_a_retry_that_an_open_breaker_refuses(self, redis_at):
        with sockets.hanging_up() as server:
            redis_at(server.url)
            for _ in range(3):
                timed(redis.call, "test", ping)

            assert timed(redis.read, "test", ping) < 0.005
            assert len(server.accepted) == 3

    @pytest.mark.slow
    def test_one_probe_a_second_then_closes(self, redis_at, redis_server, settings):
        alive = settings.REDIS_URL
        with sockets.hanging_up() as server:
            redis_at(server.url)
            until = time.monotonic() + 2.2
            while time.monotonic() < until:
                timed(redis.call, "test", ping)
                time.sleep(0.01)
            probes = len(server.accepted)
            settings.REDIS_URL = alive
            redis.client.cache_clear()
            time.sleep(1.0)

            assert probes == 5  # three to open it, then one for each full second
            assert redis.call("test", ping) is True
            assert redis.call("test", ping) is True


class TestRefusals:
    @pytest.mark.parametrize(
        "reply",
        [
            b"READONLY You can't write against a read only replica.",
            b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            b"OOM command not allowed when used memory > 'maxmemory'.",
            b"LOADING Redis is loading the dataset in memory",
            b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
            b"NOREPLICAS Not enough good replicas to write.",
            b"BUSY Redis is busy running a script.",
            b"CLUSTERDOWN The cluster is down",
            b"NOAUTH Authentication required.",
            b"ERR max number of clients reached",
        ],
    )
    def test_a_state_of_the_server_is_unavailability(self, redis_at, reply):
        before = REDIS_ERRORS.labels("test")._value.get()
        with sockets.refusing(reply) as server:
            redis_at(server.url)
            timed(redis.call, "test", lambda client: client.set("a", "b"))
            redis.breaker.record_success()
            timed(redis.call, "test", lambda client: client.pipeline(transaction=False).set("a", "b").execute())

        assert REDIS_ERRORS.labels("test")._value.get() == before + 2

    def test_a_demoted_master_is_left_for_a_new_connection(self, redis_at):
        with sockets.refusing(b"READONLY You can't write against a read only replica.") as server:
            redis_at(server.url)
            for _ in range(2):
                timed(redis.call, "test", lambda client: client.set("a", "b"))

            assert len(server.accepted) == 2

    def test_a_full_server_does_not_stop_reads(self, redis_at):
        with sockets.refusing(b"OOM command not allowed when used memory > 'maxmemory'.") as server:
            redis_at(server.url)
            for _ in range(5):
                timed(redis.call, "test", lambda client: client.set("a", "b"))

            assert redis.breaker.allows()

    def test_a_wrong_command_is_a_bug_and_no_outage(self, redis_server):
        redis_server.set("text", "a")
        for _ in range(4):
            with pytest.raises(ResponseError, match="WRONGTYPE"):
                redis.call("test", lambda client: client.hget("text", "field"))

        assert redis.read("test", lambda client: client.get("text")) == b"a"


class TestWarmUp:
    def test_the_first_command_uses_a_connection_that_was_there(self, redis_at, redis_server, settings):
        redis_at(settings.REDIS_URL)
        redis.warm_up(2)
        warm = {each["id"] for each in redis.client().client_list()}

        answering = str(redis.call("test", lambda client: client.client_id()))

        assert answering in warm
        assert len(redis.client().connection_pool._connections) == 2

    def test_a_server_that_is_away_is_told_and_leaks_nothing(self, redis_at):
        redis_at(f"redis://127.0.0.1:{sockets.closed_port()}/0")

        timed(redis.warm_up, 2)

        pool = redis.client().connection_pool
        assert pool.pool.qsize() == pool.max_connections
