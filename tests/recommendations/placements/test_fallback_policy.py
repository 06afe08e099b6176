"""Fallback policies: what a version's rules say, as it is stored with an empty list."""

import pytest

from recommendations.list_kinds import FOR_YOU
from recommendations.placements.fallback_policy import FallbackPolicy


@pytest.mark.parametrize(
    ("rules", "segments", "stored"),
    [
        ({}, [], {"fallback": list(FOR_YOU.fallback)}),
        ({"fallback": ["popular"]}, ["segments=gold"], {"fallback": ["popular"]}),
        (
            {"fallback": ["segment", "latest"], "hide": ["x"], "filter": "price < 2"},
            ["segments=gold"],
            {"fallback": ["segment", "latest"], "segments": ["segments=gold"], "hide": ["x"], "filter": "price < 2"},
        ),
    ],
)
def test_it_is_the_same_when_it_is_read_back_from_an_empty_list(rules, segments, stored):
    policy = FallbackPolicy.from_rules(rules, segments)

    assert policy.to_stored() == stored
    assert FallbackPolicy.from_stored(stored).to_stored() == stored


def test_it_names_the_lists_of_the_build_in_order_and_none_for_items_of_the_catalogue():
    policy = FallbackPolicy(("pinned", "trending", "segment", "latest", "popular"), ("segments=gold", "segments=new"))

    assert policy.references() == [
        ("trending", "7d"),
        ("segment", "segments=gold"),
        ("segment", "segments=new"),
        ("popular", ""),
    ]


def test_it_is_the_default_when_an_empty_list_holds_no_policy():
    assert FallbackPolicy.from_stored({}) == FallbackPolicy()
