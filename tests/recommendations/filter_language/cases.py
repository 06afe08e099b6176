"""Generated items and conditions over the same few values, so that conditions meet some items and not others."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import strategies as st

from recommendations.filter_language import Person

NOW = datetime(2026, 11, 23, 12, 0, 0, 500_000, tzinfo=UTC)
TEXTS = [
    "",
    "a",
    "A",
    "ab",
    "Z",
    "z",
    "é",
    "e\u0301",
    "ß",
    "10",
    "9",
    "-",
    "%",
    "_",
    "\\",
    "'",
    '"',
    "true",
    "😀",
    "\uffff",
]
DATES = ["2026-01-01", "2026-11-23", "2026-11-23T12:00:00Z", "2026-11-23T12:00:00.9Z", "2026-11-16T12:00:00Z"]
NO_DATES = ["2026-11-23T12:00:00+01:00", "2026-11-23 12:00:00", "2026-1-1", "2026-01-01\n", "٢٠٢٦-01-01", "2026-99-99"]
NUMBERS = [0, -0.0, 1, 1.0, -1, 0.1, 0.30000000000000004, 9, 10, 2**53, -(2**53), 1e300, 5e-324, 1e22, 9007199254740991]
LISTS = [[], ["a"], ["a", "A"], ["é", "10"], ["true", "2026-01-01"]]
VALUES = [*TEXTS, *DATES, *NO_DATES, *NUMBERS, *LISTS, True, False]
NAMES = ["a", "b", "in", "size (cm)", "a.b"]
MOMENTS = [None, NOW, NOW - timedelta(days=7), NOW + timedelta(days=7), NOW - timedelta(microseconds=1)]


def attributes(draw: Random) -> dict[str, object]:
    """A few of the names, each with any value."""
    return {name: draw.choice(VALUES) for name in NAMES if draw.random() < 0.7}


def item(draw: Random, number: int) -> dict[str, object]:
    """The fields of one item."""
    return {
        "item_id": f"{'aAbZ'[number % 4]}{number}",
        "title": draw.choice([*TEXTS, *DATES]),
        "description": draw.choice(TEXTS),
        "categories": draw.choice(LISTS),
        "attributes": attributes(draw),
        "available_from": draw.choice(MOMENTS),
        "available_until": draw.choice(MOMENTS),
        "created_at": draw.choice(MOMENTS[1:]),
        "updated_at": draw.choice(MOMENTS[1:]),
    }


def person(number: int) -> Person:
    """Somebody, drawn from a number."""
    draw = Random(number)
    return Person(
        user_id=draw.choice(["a1", "A1", "b2", ""]),
        locale=draw.choice(["de", "en", ""]),
        segments=draw.choice(LISTS),
        attributes=attributes(draw),
    )


def _quoted(text: str) -> str:
    quote = "'" if '"' in text else '"'
    return quote + text.replace("\\", "\\\\").replace(quote, "\\" + quote) + quote


_attribute = st.sampled_from(NAMES).map(lambda name: f"attributes[{_quoted(name)}]")
_text_field = st.sampled_from(["item_id", "title", "description"])
_date_field = st.sampled_from(["available_from", "available_until", "created_at", "updated_at"])
_user_field = _attribute.map(lambda path: f"user.{path}") | st.sampled_from(
    ["user.user_id", "user.locale", "user.segments"]
)
_user_plain = _attribute.map(lambda path: f"user.{path}") | st.sampled_from(["user.user_id", "user.locale"])
_text = st.sampled_from([*TEXTS, *DATES, *NO_DATES, "a1", "A"]).map(_quoted)
_number = st.sampled_from(NUMBERS).map(repr)
_date = st.sampled_from(
    ["now", "now - 7d", "now + 1w", "2026-01-01", "2026-11-23T12:00:00Z", "2026-11-23T13:00:00.5+01:00"]
)
_flag = st.sampled_from(["true", "FALSE"])
_order = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
_scalar = _text | _number | _date | _flag


def _listed(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, max_size=3).map(lambda found: f"[{', '.join(found)}]")


def _spread(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(values, values).map("..".join)


def _said(*parts: object) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(part) if isinstance(part, str) else part for part in parts)).map(" ".join)


_in = st.sampled_from(["in", "not in", "IN"])
_free = _attribute | _user_plain.filter(lambda path: "attributes" in path)
_test = st.one_of(
    _said(_free, _order, _text | _number | _date | _user_field),
    _said(_free, st.sampled_from(["=", "!="]), _flag),
    _said(_free, _in, _listed(_scalar) | _spread(_text | _number | _date) | _user_field),
    _said(_free | _text_field | st.just("categories"), "contains", _text | _user_field),
    _said(_attribute | _text_field | _date_field | _user_field | st.just("categories"), "exists"),
    _said(_text_field, _order, _text | _user_field),
    _said(_text_field, _in, _listed(_text) | _spread(_text) | _user_field),
    _said(_date_field, _order, _date | _user_field),
    _said(_date_field, _in, _listed(_date) | _spread(_date) | _user_field),
    _said("categories", _in, _listed(_text) | _user_field),
    _said("user.segments", "contains", _text),
    _said(_text, "in", st.just("categories") | _attribute),
)
CONDITIONS = st.recursive(
    _test,
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' and '.join(parts)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' or '.join(parts)})"),
    ),
    max_leaves=5,
)
