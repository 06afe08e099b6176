"""The shelf that a process keeps ready for ranking: read by a thread, bounded, and good while a server is away."""

import threading
import time

import pytest
from cachetools import LRUCache

from accounts.tenancy import scope
from recommendations.cache import keys, list_cache
from recommendations.cache.list_codec import Entry, Provenance, Voice, encode
from recommendations.models import Artefact, Build, Placement
from recommendations.pipeline.artefacts import store as artefacts
from recommendations.serving.ranking import prepared
from recommendations.serving.ranking.prepared_cache import PreparedCache, prepared_rankings
from tests.outages import postgres_away, redis_away
from tests.recommendations.serving.ranking.stage import ITEM_IDS, ask, ids, left_out, set_up


@pytest.fixture
def acme(committed_db, cast):
    set_up(cast.acme.tenant)
    return cast.acme


@pytest.fixture
def running():
    """A shelf whose thread reads."""
    made = PreparedCache()
    made.start()
    yield made
    made.stop()


def own_list(acme, *item_ids):
    made = Provenance(1, 1, "model", "2026-11-30T08:00:00Z", artefact=3)
    entries = [Entry(item_id, 1.0, f"Because of {item_id}", ("i0000",), "item_item") for item_id in item_ids]
    raw = encode(provenance=made, owner="u0000", entries=entries, voice=Voice("en"))
    list_cache.set_many([(keys.user_list(acme.tenant.pk, "home", "u0000"), raw)])


class TestThread:
    def test_reads_what_is_asked_for_and_has_it_from_then_on(self, acme, running):
        found = running.get(acme.tenant.pk, "", seconds=20.0)

        assert found is not None
        assert (found.lacking, len(found.artefacts)) == (None, 1)
        assert running.get(acme.tenant.pk, "", seconds=0.0) is found

    def test_nobody_waits_longer_than_they_said(self, acme, running, monkeypatch):
        held, go_on = prepared.read, threading.Event()
        monkeypatch.setattr(prepared, "read", lambda *args: go_on.wait(20) and held(*args))

        started = time.monotonic()
        found = running.get(acme.tenant.pk, "", seconds=0.3)
        took = time.monotonic() - started
        go_on.set()

        assert took < 5
        assert found is None or found.lacking == "artefact"
        later = running.get(acme.tenant.pk, "", seconds=20.0)
        assert later is not None
        assert later.lacking is None

    def test_what_is_old_serves_on_while_it_is_read_anew(self, acme, running, settings):
        settings.PROCESS_REFRESH_SECONDS = 0.0
        first = running.get(acme.tenant.pk, "", seconds=20.0)
        with scope.tenant(acme.tenant.pk):
            Placement.objects.update(active_build=None)

        assert running.get(acme.tenant.pk, "", seconds=0.0) is first

        until = time.monotonic() + 20
        while (found := running.get(acme.tenant.pk, "", seconds=0.0)) is first and time.monotonic() < until:
            time.sleep(0.05)
        assert found is not None
        assert found.lacking == "no_build"


class TestBounds:
    def test_few_artefacts_are_kept_those_asked_for_last(self, cast, settings, monkeypatch):
        settings.ARTEFACTS_IN_MEMORY = 1
        monkeypatch.setattr(artefacts, "_loaded", LRUCache(1))
        set_up(cast.acme.tenant)
        set_up(cast.globex.tenant)
        kept = PreparedCache()

        for tenant in (cast.acme.tenant, cast.globex.tenant):
            found = kept.get(tenant.pk, "", seconds=1.0)
            assert found is not None
            assert found.lacking is None

        assert [key[0] for key in kept._held] == [cast.globex.tenant.pk]
        assert len(artefacts._loaded) == 1

    def test_placements_of_one_artefact_are_kept_together(self, cast, settings):
        settings.ARTEFACTS_IN_MEMORY = 1
        set_up(cast.acme.tenant)
        kept = PreparedCache()

        for place in ("", "home"):
            kept.get(cast.acme.tenant.pk, place, seconds=1.0)

        assert len(kept._held) == 2


class TestLadder:
    def test_an_artefact_that_cannot_be_read_leaves_the_person_s_list_and_their_own_items(self, acme):
        with scope.tenant(acme.tenant.pk):
            Artefact.objects.update(file="artefacts/gone.npz")
        artefacts._loaded.clear()
        own_list(acme, "i0009", "i0005")

        answer = ask(acme.http, item_ids=["i0004", "i0005", "i0009", "nowhere"], rank_consumed=True)

        assert ids(answer) == ["i0009", "i0005", "i0004"]
        assert (answer["source"], answer["degraded"], answer["artefact"]) == ("model", "artefact", 3)
        assert answer["items"][0]["reason"] == "Because of i0009"
        assert left_out(answer) == {"nowhere": "unknown_item"}
        assert "consumed" in left_out(ask(acme.http)).values()

    def test_without_a_build_it_is_popular_or_the_order_given(self, acme):
        with scope.tenant(acme.tenant.pk):
            Placement.objects.update(active_build=None)
            Build.objects.all().delete()

        answer = ask(acme.http, item_ids=["i0003", "i0001"], rank_consumed=True)

        assert (ids(answer), answer["source"], answer["degraded"]) == (["i0003", "i0001"], "static", "no_build")

    def test_without_redis_nothing_changes(self, acme):
        before = ask(acme.http)
        with redis_away():
            after = ask(acme.http)

        assert (after["items"], after["degraded"]) == (before["items"], None)

    def test_without_a_database_the_list_comes_first_and_withdrawn_items_stay_out(self, acme):
        own_list(acme, "i0009", "i0005")
        ask(acme.http)
        assert acme.http.patch("/api/v1/items/i0007", {"hidden": True}, format="json").status_code == 200

        with postgres_away():
            answer = ask(acme.http, item_ids=["i0003", "i0005", "i0007", "i0009"])

        assert ids(answer)[:2] == ["i0009", "i0005"]
        assert (answer["source"], answer["degraded"]) == ("model", "database")
        assert left_out(answer) == {"i0007": "withdrawn"}

    def test_without_a_database_a_filter_is_not_passed_over(self, acme):
        ask(acme.http)
        with postgres_away():
            response = acme.http.post(
                "/api/v1/users/u0000/rank", {"item_ids": ["i0003"], "category": "kind 3"}, format="json"
            )

        assert (response.status_code, "Retry-After" in response) == (503, True)

    def test_with_nothing_at_all_the_order_given_stays(self, acme):
        prepared_rankings.clear()
        with postgres_away(), redis_away():
            answer = ask(acme.http, item_ids=["i0003", "i0001", "i0002"])

        assert (ids(answer), answer["source"], answer["degraded"]) == (
            ["i0003", "i0001", "i0002"],
            "static",
            "database",
        )

    def test_everybody_comes_back_whatever_is_away(self, acme):
        for outage in (redis_away, postgres_away):
            with outage():
                answer = ask(acme.http)
            assert sorted([*ids(answer), *left_out(answer)]) == ITEM_IDS
