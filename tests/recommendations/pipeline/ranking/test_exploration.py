"""New items for people without a history, at places drawn with the probabilities that go with the list."""

from datetime import date, timedelta

import numpy as np
import pytest

from recommendations.algorithms.offpolicy import exploration
from recommendations.cache.list_codec import CERTAIN, HEAD, Entry
from recommendations.pipeline.ranking import exploration as exploring
from recommendations.placements.rule_validation import read_rules

DAY = date(2026, 11, 30)


def entries(letter, count):
    return [Entry(f"{letter}{number}", 1.0, "") for number in range(count)]


def drawn(user_id="u", day=DAY, *, known=40, new=25, share=0.1):
    return exploring.draw(known=entries("k", known), new=entries("n", new), share=share, user_id=user_id, day=day)


def test_one_day_draws_the_same_and_another_day_another():
    lists = [[entry.item_id for entry in drawn("u", DAY + timedelta(days=days))[0]] for days in (0, 0, 1)]

    assert lists[0] == lists[1] != lists[2]


def test_everything_is_there_once_and_the_known_keep_their_order():
    found, chance = drawn(share=0.3)

    names = [entry.item_id for entry in found]
    assert sorted(names) == sorted(entry.item_id for entry in [*entries("k", 40), *entries("n", 25)])
    assert [name for name in names if name[0] == "k"] == [f"k{number}" for number in range(40)]
    told = chance.exploration
    assert told is not None
    assert told.drawn == tuple(place for place, name in enumerate(names[:HEAD]) if name[0] == "n")
    placed = HEAD - len(told.drawn)
    assert told.further == tuple(f"k{number}" for number in range(placed, HEAD))


@pytest.mark.parametrize(("known", "new", "share"), [(40, 25, 0.1), (6, 30, 0.3), (40, 2, 0.5), (5, 3, 0.5)])
def test_places_are_drawn_as_often_as_is_told(known, new, share):
    people = 6_000
    of_known, of_new = exploration.chances(share, known, new, HEAD)
    seen_known, seen_new = np.zeros_like(of_known), np.zeros(HEAD)
    first_new = np.zeros(new)
    for person in range(people):
        found, chance = drawn(f"p{person}", known=known, new=new, share=share)
        assert chance.exploration is not None
        assert chance.exploration.drawn == tuple(
            place for place, entry in enumerate(found[:HEAD]) if entry.item_id[0] == "n"
        )
        for place, entry in enumerate(found[:HEAD]):
            number = int(entry.item_id[1:])
            if entry.item_id[0] == "n":
                seen_new[place] += 1
            elif number < len(seen_known):
                seen_known[number, place] += 1
        first_new[next(int(entry.item_id[1:]) for entry in found if entry.item_id[0] == "n")] += 1

    wide = 4.5 * np.sqrt(0.25 / people)
    assert np.abs(seen_known / people - of_known).max() < wide
    assert np.abs(seen_new / people - of_new).max() < wide
    assert np.abs(first_new / people - 1 / new).max() < wide


def test_without_a_share_or_anything_new_nothing_is_drawn():
    assert drawn(share=0)[1] is CERTAIN
    assert drawn(new=0)[1] is CERTAIN


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({}, True),
        ({"filter": "title = 'x'", "hide": ["a"], "exploration": 0.2, "rotate_minutes": 5}, True),
        ({"boosts": [{"when": "title = 'x'", "factor": 2}]}, False),
        ({"pins": [{"item_id": "a", "position": 1}]}, False),
        ({"diversity": {"relevance": 0.5}}, False),
        ({"caps": [{"attribute": "categories", "most": 2}]}, False),
        ({"fresh": {"share": 0.1}}, False),
        ({"kinds": [{"kind": "for_you", "take": 2}, {"kind": "latest"}]}, False),
    ],
)
def test_probabilities_are_told_where_later_rules_move_nothing(rules, told):
    assert exploring.keeps_positions(read_rules(rules)) is told
