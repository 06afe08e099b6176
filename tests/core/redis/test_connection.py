"""The options that every connection carries."""

import socket
from typing import Any

import pytest
from django.core.cache import caches

from core import redis


class TestSocket:
    def test_keeps_alive_and_has_the_limits(self, redis_at, redis_server, settings):
        redis_at(settings.REDIS_URL)
        connection = redis.client().connection_pool.get_connection()
        try:
            sock = connection._sock
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            assert (connection.socket_connect_timeout, connection.socket_timeout) == (0.1, 0.2)
            assert connection.retry.get_retries() == 0
        finally:
            redis.client().connection_pool.release(connection)


class TestDjangoCache:
    def test_works_over_the_process_s_own_pool(self, redis_server):
        fresh: Any = caches.create_connection("default")
        fresh.set("a", {"b": 1}, 60)

        assert fresh.get("a") == {"b": 1}
        assert fresh.client.get_client().connection_pool is redis.client().connection_pool

    def test_another_server_gets_a_client_with_the_same_limits(self):
        factory = redis.CacheConnectionFactory({})

        other = factory.connect("redis://cache.example:6380/3")

        assert other.connection_pool.connection_kwargs["socket_timeout"] == 0.2
        assert other.connection_pool.connection_kwargs["host"] == "cache.example"


class TestConnect:
    def test_refuses_what_no_client_can_use(self):
        with pytest.raises(ValueError, match="http:// is not a Redis URL"):
            redis.connect("http://example.org")

    def test_a_unix_socket(self):
        client: Any = redis.connect("unix:///run/redis.sock?db=2")
        pool = client.connection_pool

        assert (pool.connection_kwargs["path"], pool.connection_kwargs["db"]) == ("/run/redis.sock", 2)
        pool.make_connection()

    def test_sentinels_have_limits_of_their_own_and_the_master_ours(self, settings):
        settings.REDIS_SENTINEL_PASSWORD = "watch"
        client: Any = redis.connect("sentinel://user:p%40ss@one:1,two/mymaster/4")

        pool = client.connection_pool
        watchers = pool.sentinel_manager.sentinels
        assert pool.service_name == "mymaster"
        assert {**pool.connection_kwargs}.items() >= {
            "db": 4,
            "username": "user",
            "password": "p@ss",
            "socket_timeout": 0.2,
            "socket_connect_timeout": 0.1,
        }.items()
        assert [each.connection_pool.connection_kwargs["port"] for each in watchers] == [1, 26379]
        assert [each.connection_pool.connection_kwargs["socket_timeout"] for each in watchers] == [0.5, 0.5]
        assert [each.connection_pool.connection_kwargs["password"] for each in watchers] == ["watch", "watch"]
        assert pool.max_connections == settings.REDIS_MAX_CONNECTIONS
