"""The round trips that a ranking takes to PostgreSQL and Redis, and what is left where one of them fails."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core import clock
from recommendations.interactions.event_schema import read_event
from recommendations.interactions.ingest import record_events
from tests.outages import table_locked
from tests.recommendations.serving.ranking.stage import ITEM_IDS, ask, ids, left_out, set_up

# BEGIN, the scope, the person, the items, COMMIT.
MOST = 5


@pytest.fixture
def acme(committed_db, cast, settings):
    settings.PROCESS_REFRESH_SECONDS = 600.0  # in a web process a thread reads what all have in common
    set_up(cast.acme.tenant)
    return cast.acme


def test_a_ranking_is_one_transaction_of_few_statements(acme, round_trips):
    for more in ({}, {"placement": "home"}, {"rank_consumed": True, "limit": 3}):
        ask(acme.http, **more)
        round_trips.clear()

        with CaptureQueriesContext(connection) as queries:
            answer = ask(acme.http, **more)

        made = [each["sql"] for each in queries.captured_queries]
        assert (answer["source"], answer["degraded"]) == ("model", None)
        assert len(made) <= MOST, made
        assert sum("set_config" in each for each in made) == 1
        assert len(round_trips) == 1


def test_an_event_of_a_type_that_is_new_counts_at_once(acme):
    first = ids(ask(acme.http))[0]
    now = clock.now()
    disliked = read_event({"user_id": "u0000", "item_id": first, "type": "dislike"}, now=now)
    record_events(tenant_id=acme.tenant.pk, events=[disliked], now=now)

    assert left_out(ask(acme.http))[first] == "consumed"
    with CaptureQueriesContext(connection) as queries:
        again = ask(acme.http, "u0001")
    assert (again["source"], len(queries)) == ("model", MOST)  # who has no such event needs nothing more


def test_a_history_that_cannot_be_read_in_time_leaves_what_the_catalogue_says(acme, settings):
    settings.RANK_SECONDS = 0.3
    ask(acme.http)
    assert acme.http.patch("/api/v1/items/i0007", {"hidden": True}, format="json").status_code == 200

    with table_locked("recommendations_interaction"):
        answer = ask(acme.http, item_ids=[*ITEM_IDS, "nowhere"])

    assert answer["degraded"] == "database"
    assert left_out(answer) == {"i0007": "withdrawn", "nowhere": "unknown_item"}
    assert sorted(ids(answer)) == [item_id for item_id in ITEM_IDS if item_id != "i0007"]
