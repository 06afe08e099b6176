"""What is served when a server is away (architecture.md section 7). The servers are real, the addresses are dead."""

from contextlib import contextmanager

import pytest
from django.db import connections
from django.test import override_settings

from core import redis
from recommendations.serving import ladder
from tests.recommendations.lists import publish

ITEMS = [f"i{n:03}" for n in range(40)]
URL = "/api/v1/users/{}/recommendations"


@contextmanager
def redis_away():
    """Every new connection goes to a port where nothing listens."""
    redis.client().connection_pool.disconnect()
    redis.client.cache_clear()
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        yield
    redis.client.cache_clear()
    redis.breaker.succeeded()


@contextmanager
def postgres_away():
    """The next query opens a connection to a port where nothing listens."""
    connection = connections["default"]
    connection.close()
    port = connection.settings_dict["PORT"]
    connection.settings_dict["PORT"] = 1
    yield
    connection.close()
    connection.settings_dict["PORT"] = port


@pytest.fixture
def acme(committed_db, cast):
    publish(cast.acme.tenant, people={"ann": ITEMS}, items=ITEMS, popular=ITEMS[::-1])
    ladder._last_popular.clear()
    return cast.acme


class TestRedisAway:
    def test_lists_come_from_postgres(self, acme):
        with redis_away():
            answer = acme.http.get(URL.format("ann")).json()

        assert (answer["source"], answer["degraded"]) == ("model", None)
        assert [item["item_id"] for item in answer["items"]] == ITEMS[:20]

    def test_hidden_items_stay_out(self, acme):
        acme.http.patch("/api/v1/items/i000", {"hidden": True}, format="json")
        with redis_away():
            answer = acme.http.get(URL.format("ann")).json()

        assert answer["items"][0]["item_id"] == "i001"


class TestPostgresAway:
    def test_cached_lists_are_unchanged(self, acme):
        before = acme.http.get(URL.format("ann"))
        with postgres_away():
            after = acme.http.get(URL.format("ann"))

        assert after.content == before.content

    def test_a_miss_gets_the_last_known_popular_list(self, acme):
        acme.http.get("/api/v1/recommendations/popular")
        with postgres_away():
            answer = acme.http.get(URL.format("bob")).json()

        assert (answer["source"], answer["degraded"]) == ("popular", "database")
        assert len(answer["items"]) == 20


class TestBothAway:
    def test_the_process_remembers_what_was_popular(self, acme):
        acme.http.get("/api/v1/recommendations/popular")
        with redis_away(), postgres_away():
            answer = acme.http.get(URL.format("ann")).json()

        assert (answer["source"], answer["degraded"]) == ("popular", "database")
        assert len(answer["items"]) == 20
