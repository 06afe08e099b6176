"""Commands that go past redis-py's client: its connections, its replies and its errors."""

from typing import Any

import pytest
import redis
from django.conf import settings
from redis.exceptions import ResponseError

from core.redis.connection import connect


@pytest.fixture
def client():
    made: Any = connect(settings.REDIS_URL)  # no cluster's client
    yield made
    made.connection_pool.disconnect()


def waiting(client):
    return len(client.connection_pool._waiting)


class TestExecute:
    def test_returns_the_reply_and_keeps_the_connection(self, client):
        for _ in range(3):
            assert client.connection_pool.execute("ECHO", "text") == b"text"

        assert waiting(client) == 1
        assert client.ping()

    def test_a_refusal_is_an_error_and_the_connection_stays(self, client):
        with pytest.raises(ResponseError):
            client.connection_pool.execute("EVALSHA", "0" * 40, 0)

        assert waiting(client) == 1
        assert client.connection_pool.execute("ECHO", "after") == b"after"

    def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(self, client):
        own = client.connection_pool.execute("CLIENT", "ID")
        since, connection = client.connection_pool._waiting.pop()
        client.connection_pool._waiting.append((since - 10, connection))
        client.client_kill_filter(_id=own)

        assert client.connection_pool.execute("ECHO", "again") == b"again"

    def test_one_that_breaks_goes_back_closed(self, client):
        own = client.connection_pool.execute("CLIENT", "ID")
        client.client_kill_filter(_id=own)

        with pytest.raises(redis.ConnectionError):
            client.connection_pool.execute("ECHO", "lost")

        assert waiting(client) == 0
        assert client.connection_pool.execute("ECHO", "new") == b"new"
