"""Answers during an outage of a server (architecture.md section 7). The servers are real, the addresses are dead."""

import pytest

from tests.outages import postgres_away, redis_away
from tests.recommendations.lists import publish

ITEMS = [f"i{n:03}" for n in range(40)]
URL = "/api/v1/users/{}/recommendations"


@pytest.fixture
def acme(committed_db, cast):
    publish(cast.acme.tenant, people={"ann": ITEMS}, items=ITEMS, popular=ITEMS[::-1])
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
