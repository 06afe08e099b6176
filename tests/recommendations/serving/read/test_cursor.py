"""The signed cursor of a walk."""

from datetime import timedelta

import pytest

from recommendations.serving.read import cursor
from tests.recommendations.lists import NOW

SHOWN = [cursor.digest(f"item-{n}") for n in range(100)]


class TestCursor:
    def test_brings_back_what_was_shown(self):
        token = cursor.write(shown=SHOWN, binding="b", now=NOW)

        assert cursor.read(token, binding="b", now=NOW) == SHOWN

    def test_stays_under_two_kilobytes(self):
        assert len(cursor.write(shown=SHOWN, binding="b", now=NOW)) < 2048

    def test_is_the_same_within_five_minutes(self):
        assert cursor.write(shown=SHOWN, binding="b", now=NOW) == cursor.write(
            shown=SHOWN, binding="b", now=NOW + timedelta(seconds=299)
        )

    def test_is_good_for_half_an_hour_and_then_not(self):
        token = cursor.write(shown=SHOWN, binding="b", now=NOW + timedelta(seconds=299))

        assert cursor.read(token, binding="b", now=NOW + timedelta(seconds=299, minutes=30))
        with pytest.raises(cursor.InvalidCursor, match="expired"):
            cursor.read(token, binding="b", now=NOW + timedelta(minutes=36))

    @pytest.mark.parametrize("spoil", [lambda t: "B" + t[1:], lambda t: t[:-2], lambda _: "", lambda _: "%%%"])
    def test_a_changed_one_is_refused(self, spoil):
        token = cursor.write(shown=SHOWN[:3], binding="b", now=NOW)

        with pytest.raises(cursor.InvalidCursor):
            cursor.read(spoil(token), binding="b", now=NOW)

    def test_one_for_another_list_is_refused(self):
        token = cursor.write(shown=SHOWN[:3], binding="b", now=NOW)

        with pytest.raises(cursor.InvalidCursor, match="another list"):
            cursor.read(token, binding="c", now=NOW)
