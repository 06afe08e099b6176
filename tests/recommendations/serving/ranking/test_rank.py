"""POST /users/{id}/rank over the whole stack: the order, what is left out, and what the answer says of both."""

import random

import pytest
from django.db import connection

from accounts.tenancy import scope
from recommendations.cache import keys, list_cache
from recommendations.cache.list_codec import Entry, Provenance, Voice, encode
from recommendations.models import EndUser
from recommendations.pipeline.lists import profiles
from recommendations.serving.ranking import model_order
from tests.recommendations.pipeline.generated import build_now, fill, happen, lists_of, stored
from tests.recommendations.serving.ranking.stage import ITEM_IDS, URL, ask, ids, left_out


def own_of(acme, user_id="u0000"):
    person = profiles.read_user(tenant_id=acme.tenant.pk, user_id=user_id)
    assert person is not None
    return {item_id for item_id, _ in person.events}


def change(acme, item_id, **fields):
    response = acme.http.patch(f"/api/v1/items/{item_id}", fields, format="json")
    assert response.status_code == 200, response.content


class TestOrder:
    def test_is_the_person_s_and_says_how_it_was_made(self, acme):
        answer = ask(acme.http)

        first = answer["items"][:5]
        assert sum(int(item["item_id"][1:]) % 4 == 0 for item in first) >= 3  # what u0000 and their like choose
        assert (answer["source"], answer["degraded"], answer["simulated"]) == ("model", None, False)
        assert (answer["user_id"], answer["placement"]) == ("u0000", None)
        assert answer["artefact"] is not None
        assert answer["recommendation_id"].startswith("r")
        assert all(item["reason"] for item in answer["items"])
        assert any(item["evidence"] for item in first)
        scores = [item["score"] for item in answer["items"]]
        assert scores == sorted(scores, reverse=True)

    def test_everybody_gets_their_own(self, acme):
        assert ids(ask(acme.http, "u0000")) != ids(ask(acme.http, "u0001"))

    def test_every_item_comes_back_once_ranked_or_left_out(self, acme):
        answer = ask(acme.http, item_ids=[*ITEM_IDS, "nowhere"])

        assert sorted([*ids(answer), *left_out(answer)]) == sorted([*ITEM_IDS, "nowhere"])

    @pytest.mark.parametrize("seed", range(3))
    def test_does_not_depend_on_the_order_in_which_items_came(self, acme, seed):
        shuffled = random.Random(seed).sample(ITEM_IDS, len(ITEM_IDS))

        assert ask(acme.http, item_ids=shuffled)["items"] == ask(acme.http)["items"]

    def test_items_that_came_after_the_training_keep_the_order_given(self, acme):
        for item_id in ("z9", "z1", "z5"):
            assert acme.http.put(f"/api/v1/items/{item_id}", {"title": item_id}, format="json").status_code == 201

        answer = ask(acme.http, item_ids=["z9", "i0004", "z1", "i0008", "z5"])

        assert [each for each in ids(answer) if each[0] == "z"] == ["z9", "z1", "z5"]
        assert {item["reason"] for item in answer["items"] if item["item_id"][0] == "z"} == {"Recommended"}
        assert ids(answer)[-3:] == ["z9", "z1", "z5"]

    def test_an_event_counts_at_once(self, acme):
        candidates = [each for each in ITEM_IDS if each not in own_of(acme)]
        before = ask(acme.http, item_ids=candidates)
        happen(acme.tenant, "u0000", "i0003", "i0007", "i0011", "i0015", "i0019", "i0023")

        after = ask(acme.http, item_ids=candidates)

        kind_3 = [each for each in ids(after) if int(each[1:]) % 4 == 3]
        assert ids(after).index(kind_3[0]) < ids(before).index(kind_3[0])
        assert left_out(after)["i0003"] == "consumed"

    def test_the_first_so_many_come_back(self, acme):
        assert ask(acme.http, limit=5)["items"] == ask(acme.http)["items"][:5]

    def test_include_item_and_explain(self, acme):
        item = ask(acme.http, include="item", explain=True)["items"][0]

        assert item["item"]["title"] == f"Title {int(item['item_id'][1:])}"
        assert item["explain"]["part"]

    def test_reasons_are_in_the_person_s_language(self, acme):
        with scope.tenant(acme.tenant.pk):
            EndUser.objects.filter(user_id="u0000").update(locale="de-AT")

        reasons = {item["reason"] for item in ask(acme.http)["items"]}

        assert any(reason.startswith("Weil Ihnen") for reason in reasons)
        assert not any(reason.startswith("Because") for reason in reasons)

    def test_the_same_order_has_the_same_id_and_is_kept_by_nobody(self, acme):
        response = acme.http.post(URL.format("u0000"), {"item_ids": ITEM_IDS}, format="json")

        assert response["Cache-Control"] == "no-store"
        assert response.json()["recommendation_id"] == ask(acme.http)["recommendation_id"]
        assert response.json()["recommendation_id"] != ask(acme.http, "u0001")["recommendation_id"]
        assert response.json()["recommendation_id"] != ask(acme.http, limit=3)["recommendation_id"]


class TestLikeTheList:
    def test_a_list_s_items_stand_as_in_the_list(self, committed_db, cast):
        """With no rules, AI or items that nobody has chosen, order, scores, reasons and evidence are the list's."""
        tenant = cast.acme.tenant
        fill(tenant, people=40, items=60)
        build = build_now(tenant)
        for user_id in ("u0000", "u0001", "u0017"):
            listed = stored(lists_of(tenant, build)[user_id]).entries()
            shuffled = random.Random(7).sample([each["item_id"] for each in listed], len(listed))

            answer = ask(cast.acme.http, user_id, shuffled, placement="home")

            assert answer["left_out"] == []
            assert ids(answer) == [each["item_id"] for each in listed]
            for ranked, entry in zip(answer["items"], listed, strict=True):
                assert ranked["score"] == pytest.approx(entry["score"], abs=2e-6)
                assert (ranked["reason"], ranked["evidence"]) == (entry["reason"], entry["evidence"])

    def test_words_that_ai_wrote_stay_with_their_items(self, acme):
        key = keys.user_list(acme.tenant.pk, "home", "u0000")
        made = Provenance(1, 1, "ai", "2026-11-30T08:00:00Z", artefact=1, simulated=True)
        entry = Entry("i0040", 1.0, "For long evenings.", ("i0004",), "item_item:ai")
        raw = encode(provenance=made, owner="u0000", entries=[entry], voice=Voice("en"))
        list_cache.set_many([(key, raw)])

        answer = ask(acme.http, item_ids=["i0040", "i0041"], rank_consumed=True)

        item = next(each for each in answer["items"] if each["item_id"] == "i0040")
        assert (item["reason"], item["evidence"]) == ("For long evenings.", [{"item_id": "i0004"}])
        assert (answer["source"], answer["simulated"]) == ("model", True)


class TestLeftOut:
    def test_names_unknown_and_withdrawn_items_in_the_order_given(self, acme):
        change(acme, "i0001", hidden=True)
        change(acme, "i0002", available_until="2020-01-01T00:00:00Z")
        change(acme, "i0005", available_from="2099-01-01T00:00:00Z")
        assert acme.http.delete("/api/v1/items/i0003").status_code == 204

        answer = ask(acme.http, item_ids=["i0003", "x", "i0002", "i0004", "i0001", "i0005"], rank_consumed=True)

        assert ids(answer) == ["i0004"]
        assert [(each["item_id"], each["code"]) for each in answer["left_out"]] == [
            ("i0003", "withdrawn"),
            ("x", "unknown_item"),
            ("i0002", "withdrawn"),
            ("i0001", "withdrawn"),
            ("i0005", "withdrawn"),
        ]
        assert all(each["detail"] for each in answer["left_out"])

    def test_what_the_person_has_is_left_out_unless_it_is_to_be_ranked(self, acme):
        own = own_of(acme)

        assert {item_id for item_id, code in left_out(ask(acme.http)).items() if code == "consumed"} == own
        assert set(ids(ask(acme.http, rank_consumed=True))) == set(ITEM_IDS)

    def test_what_the_person_turned_down_is_too(self, acme):
        event = {"user_id": "u0000", "item_id": "i0001", "type": "dislike"}
        assert acme.http.post("/api/v1/events", event, format="json").status_code == 201

        assert left_out(ask(acme.http))["i0001"] == "consumed"

    def test_category_filter_and_exclude(self, acme):
        query = {"category": "kind 2", "filter": "item_id != 'i0006'", "exclude": ["i0010"], "rank_consumed": True}

        answer = ask(acme.http, item_ids=["i0002", "i0006", "i0010", "i0011"], **query)

        assert ids(answer) == ["i0002"]
        assert left_out(answer) == {"i0006": "filter", "i0010": "excluded", "i0011": "filter"}

    def test_where_nothing_is_left_the_answer_says_so(self, acme):
        answer = ask(acme.http, item_ids=["x", "y"])

        assert (answer["items"], answer["source"], answer["degraded"]) == ([], "static", "no_items")
        assert left_out(answer) == {"x": "unknown_item", "y": "unknown_item"}


class TestWork:
    def test_is_one_redis_round_trip_and_a_bounded_number_of_statements(self, acme, round_trips):
        ask(acme.http)
        round_trips.clear()

        statements: list[str] = []

        def noted(execute, sql, *rest):
            statements.append(sql)
            return execute(sql, *rest)

        with connection.execute_wrapper(noted):
            ask(acme.http)

        assert len(round_trips) == 1
        # The person, what events mean, names of the history (its COPY is not counted), low ratings, titles, items.
        assert len([each for each in statements if "SAVEPOINT" not in each and "set_config" not in each]) <= 9

    def test_more_than_the_process_scores_at_once_are_ranked_without_the_artefact(self, acme, monkeypatch):
        monkeypatch.setattr(model_order, "TURN_SECONDS", 0.01)
        turns = model_order._turns()
        taken = [turns for _ in range(100) if turns.acquire(blocking=False)]
        try:
            answer = ask(acme.http)
        finally:
            for each in taken:
                each.release()

        assert (answer["source"], answer["degraded"]) == ("popular", "busy")
        assert set(left_out(answer)) == own_of(acme)
        assert ask(acme.http)["source"] == "model"
