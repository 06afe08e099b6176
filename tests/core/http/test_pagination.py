"""Cursor pages: signed, bound, the same text each time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.http.pagination import Pages

BINDING = {"list": "items", "tenant": 1, "filter": None}


def _refused(query, binding=BINDING):
    with pytest.raises(InvalidInput) as caught:
        Pages.read(query, binding=binding)
    return caught.value.errors[0].code


class TestPages:
    @given(st.lists(st.text(max_size=40), min_size=1, max_size=3).map(tuple))
    def test_a_cursor_brings_its_position_back(self, position):
        cursor = Pages(BINDING, 50, None).cursor(position)

        assert Pages.read({"cursor": str(cursor)}, binding=BINDING).after == position

    def test_a_cursor_is_the_same_text_each_time(self):
        assert Pages(BINDING, 50, None).cursor(("a",)) == Pages(dict(BINDING), 9, None).cursor(("a",))

    @pytest.mark.parametrize("change", [{"list": "users"}, {"tenant": 2}, {"filter": "x"}])
    def test_a_cursor_is_bound(self, change):
        cursor = Pages(BINDING, 50, None).cursor(("a",))

        assert _refused({"cursor": cursor}, {**BINDING, **change}) == "foreign_cursor"

    @given(st.text(max_size=60))
    def test_anything_else_is_no_cursor(self, text):
        assert _refused({"cursor": text}) == "bad_cursor"

    def test_a_changed_cursor_is_refused(self):
        cursor = str(Pages(BINDING, 50, None).cursor(("a",)))

        assert _refused({"cursor": ("x" if cursor[0] != "x" else "y") + cursor[1:]}) == "bad_cursor"

    def test_the_end_has_no_cursor(self):
        assert Pages(BINDING, 50, None).cursor(None) is None

    @pytest.mark.parametrize(("raw", "limit"), [(None, 50), ("1", 1), ("200", 200)])
    def test_limit(self, raw, limit):
        assert Pages.read({} if raw is None else {"limit": raw}, binding=BINDING).limit == limit

    @given(st.text(max_size=6).filter(lambda text: not (text.isascii() and text.isdigit())))
    def test_any_other_limit_is_refused(self, text):
        assert _refused({"limit": text}) == "out_of_range"
