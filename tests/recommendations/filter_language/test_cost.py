"""A condition's cost is the number of comparisons in PostgreSQL, not the length of its text."""

from datetime import UTC, datetime

import pytest

from recommendations.filter_language import FilterTooCostly, Person, bind, cost, parse
from recommendations.filter_language.cost import MAX_COST, refuse_above, units
from recommendations.filter_language.sql import fragment

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LIST = [f"w{number}" for number in range(100)]
SOMEBODY = Person("p", "de", LIST, {"l": LIST, "t": "x"})


def bound(text: str):
    return bind(parse(text), person=SOMEBODY, now=NOW)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ('title = "x"', 1, 1),
        ('not (title = "x" or title = "y")', 2, 2),
        ("attributes.a in [1, 2, 3]", 3, 3),
        ("attributes.a in []", 1, 0),
        ("attributes.a in 1..5", 2, 2),
        ("attributes.a > 2026-01-01", 3, 3),
        ("attributes.a in [2026-01-01, now]", 6, 6),
        ("created_at in [2026-01-01, now]", 2, 2),
        ('description contains "x"', 5, 5),
        ("attributes.a contains user.attributes.l", 10, 100),
        ("attributes.a in user.segments", 10, 100),
        ("attributes.a = user.attributes.t", 1, 1),
        ("title contains user.attributes.none", 10, 0),
        ('user.segments contains "w1"', 1, 0),
    ],
)
def test_is_counted_before_and_after_it_is_bound(text, before, after):
    assert (cost(parse(text)), cost(bound(text))) == (before, after)


def test_a_refusal_says_the_cost_and_the_limit():
    node = bound(" or ".join(f"attributes.t{number} contains user.attributes.l" for number in range(40)))

    with pytest.raises(FilterTooCostly, match=r"costs 4,000 comparisons .* at most 400") as refused:
        refuse_above(node, MAX_COST)

    assert refused.value.errors[0].pointer == "/filter"


def test_a_request_counts_as_one_more_for_each_25():
    texts = ['title = "x"', f"attributes.a in [{', '.join(map(str, range(90)))}]"]

    assert [units(None), *(units(parse(text)) for text in texts)] == [0, 0, 3]


@pytest.mark.parametrize(
    "text",
    [
        f"attributes.year in [{', '.join(f'{year}-01-01' for year in range(1950, 2040))}]",
        "title contains user.attributes.l",
        "categories contains user.attributes.l",
        "attributes.a contains user.attributes.l",
        "attributes.a in user.attributes.l",
    ],
)
def test_a_list_makes_no_longer_statement(text):
    sql, parameters = fragment(bound(text))

    assert len(sql) < 700
    assert len(parameters) < 14
