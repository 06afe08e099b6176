"""Texts become conditions, or are refused at the column where they go wrong."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from recommendations.filter_language import FilterRefused, Person, bind, holds, parse

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FILM = SimpleNamespace(
    item_id="f1",
    title="Solaris",
    description="",
    categories=["Drama", "Science Fiction"],
    attributes={"price": 9.5, "brand": "Mosfilm", "tags": ["space"], "released": "1972-05-13", "size (cm)": 3},
    available_from=None,
    available_until=None,
    created_at=datetime(2026, 11, 20, tzinfo=UTC),
    updated_at=datetime(2026, 11, 20, tzinfo=UTC),
)
ANN = Person(user_id="ann", locale="de", segments=("vip",), attributes={"brands": ["Mosfilm"], "most": 10})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('categories contains "Drama"', True),
        ('"Drama" in categories and title = "Solaris"', True),
        ('categories in ["Comedy", "Drama"]', True),
        ("attributes.price in 9.5..20", True),
        ("attributes.price > 9.5", False),
        ("attributes.price != 9.5", False),
        ("attributes.stock != 5", True),
        ("attributes.stock = 5 or attributes.stock < 5 or attributes.stock > 5", False),
        ("not attributes.stock exists", True),
        ('attributes["size (cm)"] = 3', True),
        ("attributes.price = '9.5'", False),
        ('attributes.tags contains "space"', True),
        ("attributes.released < 1980-01-01", True),
        ("created_at > now - 7d and created_at in now - 1w..now", True),
        ("created_at > now - 2d", False),
        ("available_until > now", False),
        ("attributes.brand in user.attributes.brands", True),
        ("attributes.price <= user.attributes.most", True),
        ("attributes.price <= user.attributes.nothing", False),
        ('user.segments contains "vip" and user.locale = "de"', True),
        ('user.segments contains "staff" or title contains "lar"', True),
        ('NOT (title = "x" OR title = "y") AND item.title = \'Solaris\'', True),
        ('title = "a" or title = "Solaris" and title = "b"', False),
        ('title = "So\\"laris"', False),
    ],
)
def test_a_condition_means_what_it_says(text, expected):
    assert holds(bind(parse(text), person=ANN, now=NOW), FILM) is expected


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "empty"),
        ("title =", 8, "a value"),
        ('title = "x', 9, "no closing quotation mark"),
        ('(title = "a"', 13, "a closing )"),
        ('title = "a")', 12, "the end"),
        ('title = "a" title = "b"', 13, "and or or"),
        ('title = "a" and', 16, "a field"),
        ("attributes.price = = 3", 20, "a value"),
        ("price > 3", 1, "no field 'price'"),
        ("user.age > 3", 6, "no field 'age'"),
        ("title > 5", 9, "a text in quotation marks"),
        ('categories = "a"', 1, "contains or in"),
        ("attributes.a.b = 1", 14, 'attributes["a.b"]'),
        ("5 < attributes.price", 1, "put a field before '<'"),
        ("attributes.a < true", 16, "no order"),
        ("created_at > now - 7x", 20, "a span such as 7d"),
        ("created_at > 2026-02-31", 14, "no date"),
        ("created_at > now - 99999d", 20, "36500 days"),
        ("attributes.a = attributes.b", 16, "is an item's field"),
        ("attributes.p in [1 2]", 20, "a comma"),
        ("attributes.p in 1..", 20, "a value"),
        ("attributes.n = 99999999999999999999", 16, "2^53"),
        ('title ~ "a"', 7, "contains"),
        ('created_at contains "2026"', 1, "is a date"),
        ("attributes.a = 1 and " * 60 + "attributes.a = 1", 1, "at most 50 comparisons"),
        ("not " * 30 + "attributes.a = 1", 1, "at most 20 levels"),
        ("(" * 999 + "attributes.a = 1" + ")" * 999, 2001, "2000 characters"),
        ('title = "a\x00"', 11, "character"),
    ],
)
def test_a_mistake_is_told_with_its_column(text, column, said):
    with pytest.raises(FilterRefused) as refused:
        parse(text)

    assert refused.value.column == column
    assert said in refused.value.detail


def test_nesting_that_would_exhaust_a_stack_is_parsed():
    assert parse("(" * 900 + "attributes.a = 1" + ")" * 900) == parse("attributes.a = 1")
