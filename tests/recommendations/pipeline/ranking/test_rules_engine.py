"""Rules over what was proposed for one person: each of them alone, on lists whose answer is known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from recommendations.cache.list_codec import Entry
from recommendations.filter_language import Person
from recommendations.pipeline.lists.item_facts import ItemFacts
from recommendations.pipeline.ranking.kind_mixing import CandidateSource
from recommendations.pipeline.ranking.pins import apply_pins, read_time_rules
from recommendations.pipeline.ranking.rules_engine import apply_rules
from recommendations.pipeline.ranking.trace import Trace
from recommendations.placements.rule_validation import read_rules
from recommendations.placements.rules import KindShare

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ITEMS = [f"i{n}" for n in range(40)]


def facts_of(item_id):
    number = int(item_id[1:])
    return ItemFacts(
        title=f"Title {number}",
        until=None,
        categories=(f"kind {number % 2}",),
        attributes={"price": number, "brand": f"brand {number // 10}"},
        item_id=item_id,
        created_at=NOW - timedelta(days=number if number >= 35 else 400),
        updated_at=NOW,
    )


ANN = Person("ann")
FACTS = {item_id: facts_of(item_id) for item_id in ITEMS}


def entries(ids, part="item_item"):
    return [Entry(item_id, float(len(ids) - place), "", (), part) for place, item_id in enumerate(ids)]


def made(rules, *, own=ITEMS[:30], latest=(), consumed=(), trending=(), person=ANN, limit=20, trace=None):
    checked = read_rules(rules)
    lists = {"for_you": entries(own), "trending": entries(trending, "recent_popularity")}
    found = apply_rules(
        sources=[CandidateSource(kind, lists[kind.kind]) for kind in checked.kinds],
        rules=checked,
        facts=FACTS,
        user=person,
        consumed=set(consumed),
        latest=entries(latest, "latest"),
        similarity=lambda ids: np.equal.outer([each[-1] for each in ids], [each[-1] for each in ids]).astype(float),
        now=NOW,
        limit=limit,
        trace=trace,
    )
    return [entry.item_id for entry in found]


class TestArrange:
    def test_without_rules_keeps_the_order(self):
        assert made({}) == ITEMS[:20]

    def test_hides_filters_and_leaves_out_what_was_consumed(self):
        rules = {"hide": ["i2"], "filter": "attributes.price != 4 and attributes.price < user.attributes.most"}

        assert made(rules, consumed=["i0"], person=Person("ann", attributes={"most": 7})) == ["i1", "i3", "i5", "i6"]

    def test_boosts_move_items_by_their_factor(self):
        twice = {"boosts": [{"when": "attributes.price = 10", "factor": 1.2}]}
        never = {"boosts": [{"when": "attributes.price < 5", "factor": 0}]}

        assert made(twice).index("i10") < 10
        assert made(never)[:3] == ["i5", "i6", "i7"]

    def test_mixes_kinds_in_rounds_and_shows_nothing_twice(self):
        rules = {"kinds": [{"kind": "for_you", "take": 3}, {"kind": "trending", "take": 1}]}

        found = made(rules, trending=["i30", "i1", "i31"])

        assert found[:9] == ["i0", "i1", "i2", "i30", "i3", "i4", "i5", "i31", "i6"]
        assert len(found) == len(set(found))

    def test_a_kind_without_a_share_comes_when_the_others_are_used_up(self):
        rules = {"kinds": [{"kind": "trending"}, {"kind": "for_you"}]}

        assert made(rules, trending=["i9", "i8"])[:4] == ["i9", "i8", "i0", "i1"]

    def test_diversity_over_categories_alternates_them(self):
        found = made({"diversity": {"relevance": 0.5}}, own=ITEMS[0:30:2] + ITEMS[1:30:2])

        assert {FACTS[item_id].categories for item_id in found[:2]} == {("kind 0",), ("kind 1",)}

    def test_diversity_over_vectors_puts_unlike_items_first(self):
        found = made({"diversity": {"relevance": 0.3, "over": "vectors"}})

        assert len({item_id[-1] for item_id in found[:10]}) == 10

    def test_full_relevance_is_the_plain_order(self):
        assert made({"diversity": {"relevance": 1}}) == ITEMS[:20]

    def test_a_cap_holds_within_its_places_and_what_waits_follows(self):
        found = made({"caps": [{"attribute": "attributes.brand", "most": 3, "within": 9}]})

        assert found[:9] == ["i0", "i1", "i2", "i10", "i11", "i12", "i20", "i21", "i22"]
        assert found[9:12] == ["i3", "i4", "i5"]

    def test_a_cap_that_nothing_else_can_meet_leaves_the_list_full(self):
        found = made({"caps": [{"attribute": "attributes.brand", "most": 2}]}, own=ITEMS[:10])

        assert found == ITEMS[:10]

    def test_a_share_of_fresh_items_comes_from_the_newest(self):
        found = made({"fresh": {"share": 0.2, "days": 60}}, latest=["i35", "i36", "i37", "i38"])

        fresh = [place for place, item_id in enumerate(found) if item_id in ITEMS[35:]]
        assert fresh == [4, 9, 14, 19]

    def test_pins_without_dates_stand_where_they_should(self):
        rules = read_rules({"pins": [{"item_id": "i33", "position": 1}, {"item_id": "i5", "position": 3}]})

        found = apply_pins(entries(ITEMS[:10]), rules, FACTS, "en")

        assert [entry.item_id for entry in found] == ["i33", "i0", "i5", "i1", "i2", "i3", "i4", "i6", "i7", "i8"]
        assert found[0].reason == "Featured"
        assert apply_pins(entries(ITEMS[:10]), rules, [], "en") == tuple(entries(ITEMS[:10]))

    def test_pins_with_dates_and_rotation_travel_with_the_list(self):
        rules = read_rules(
            {
                "pins": [{"item_id": "i3", "position": 2, "from": "2026-12-01T00:00:00Z"}],
                "rotate_minutes": 30,
            }
        )

        assert read_time_rules(rules, FACTS, "en") == {
            "pins": [["i3", 2, 1_796_083_200.0, None, "Featured"]],
            "rotate": 1800,
        }


@pytest.mark.parametrize("relevance", [0.0, 0.4, 0.9])
def test_whatever_the_rules_nothing_is_shown_twice(relevance):
    found = made(
        {
            "diversity": {"relevance": relevance},
            "caps": [{"attribute": "categories", "most": 4}, {"attribute": "attributes.brand", "most": 5}],
            "fresh": {"share": 0.3},
            "boosts": [{"when": "attributes.price > 20", "factor": 3}],
        },
        latest=ITEMS[35:],
        limit=30,
    )

    assert len(found) == len(set(found)) == 30


def test_a_trace_tells_what_each_rule_did_and_changes_nothing():
    rules = {
        "kinds": [{"kind": "for_you", "take": 5}, {"kind": "trending", "take": 1}],
        "filter": "not attributes.price = 3",
        "hide": ["i1"],
        "boosts": [{"when": "item_id = 'i29'", "factor": 9}, {"when": "attributes.price > 20", "factor": 2}],
        "diversity": {"relevance": 0.5},
        "caps": [{"attribute": "attributes.brand", "most": 4, "within": 10}],
        "fresh": {"share": 0.2},
    }
    lists = {"latest": ITEMS[35:], "trending": ["i34"], "consumed": ["i2"]}

    trace = Trace()
    found = made(rules, trace=trace, **lists)

    assert found == made(rules, **lists)
    assert {item_id: deed.rule for item_id, deed in trace.excluded.items()} == {
        "i1": "hide",
        "i2": "consumed",
        "i3": "filter",
    }
    did = {item_id: {deed.rule for deed in deeds} for item_id, deeds in trace.effects.items()}
    assert "kinds" in did["i34"]
    assert [deed.detail for deed in trace.effects["i29"] if deed.rule == "boosts"] == [
        "score times 9 (boost 1)",
        "score times 2 (boost 2)",
    ]
    assert {item_id for item_id in ITEMS[35:] if "fresh" in did.get(item_id, ())} == set(ITEMS[35:]) & set(found)
    assert any("caps" in rules for rules in did.values())
    assert any("diversity" in rules for rules in did.values())
    assert not did.keys() & trace.excluded.keys()


def test_kinds_have_names_and_shares():
    assert read_rules({"kinds": [{"kind": "trending", "take": 2}]}).kinds == (KindShare("trending", 2),)
