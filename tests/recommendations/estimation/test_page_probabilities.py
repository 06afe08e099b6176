"""The laws of pages and of the lists that other rules would have made."""

from datetime import UTC, datetime

import numpy as np
import pytest

from recommendations.algorithms.offpolicy import exploration, plackett_luce
from recommendations.algorithms.offpolicy.propensities import importance_weights
from recommendations.attribution.served_pages import Page, Rotation
from recommendations.cache.list_codec import Chance, Exploration
from recommendations.estimation.page_probabilities import NEW, Target, pair
from recommendations.serving.page.read_time_rules import arranged, rotation_weight

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
MADE = "2026-11-30T03:00:00Z"
KNOWN = tuple(f"k{number}" for number in range(20))


def said(page, target):
    both = pair(page, target, AT)
    assert both is not None
    assert set(both.shown) <= set(both.logged.items)
    return importance_weights(logged=both.logged, target=both.target, shown=both.shown)


class TestARotatingPage:
    PAGE = Page(("c", "p", "a"), MADE, 1, rotation=Rotation((0, 2, 3), ("a", "b", "c"), (1,)))

    def test_was_drawn_from_what_was_left_around_its_pins(self):
        both = pair(self.PAGE, Target(("b", "a", "c")), AT)
        assert both is not None
        chances = plackett_luce.chances(tuple(rotation_weight(place) for place in (0, 2, 3)), 2)

        rows = both.logged.rows()
        assert both.logged.chances[rows["p"]].tolist() == [0, 1, 0]
        assert np.allclose(both.logged.chances[[rows["a"], rows["b"], rows["c"]]][:, [0, 2]], chances)
        found = said(self.PAGE, Target(("b", "a", "c")))
        assert found.weights.tolist() == [0, 0, 0]
        assert found.unsupported.tolist() == [0, 1, 0]  # a could not stand at the pin's place

    def test_weighs_a_version_that_rotates_as_well(self):
        target = Target(("c", "b", "a"), reading={"rotate": 60, "pins": [["p", 2, None, None, ""]]})

        found = said(self.PAGE, target)

        first = plackett_luce.chances(tuple(rotation_weight(place) for place in (0, 1, 2)), 2)
        logged = plackett_luce.chances(tuple(rotation_weight(place) for place in (0, 2, 3)), 2)
        assert found.weights == pytest.approx([first[0, 0] / logged[2, 0], 1, first[2, 1] / logged[0, 1]])
        assert not found.unsupported.any()

    def test_a_version_with_the_same_rules_weighs_one_whatever_is_drawn(self):
        ids, reading = [f"i{number}" for number in range(70)], {"rotate": 60, "pins": [["i9", 3, None, None, ""]]}
        entries = arranged([{"item_id": each} for each in ids], reading, "u", AT.timestamp(), first=0, may_follow=bool)
        left = [(place, each) for place, each in enumerate(ids[:60]) if each != "i9"]
        rotation = Rotation(tuple(place for place, _ in left), tuple(each for _, each in left), (2,))
        page = Page(tuple(entry["item_id"] for entry in entries[:20]), MADE, 1, rotation=rotation)

        found = said(page, Target(tuple(ids), reading=reading))

        assert found.weights == pytest.approx(np.ones(20))
        assert not found.unsupported.any()


class TestAnExploredPage:
    DRAWN = Exploration(0.1, 300, 40, (2, 4), ("k4", "k5"))
    PAGE = Page(("k0", "k1", "n7", "k2", "n8", "k3"), MADE, 1, Chance(exploration=DRAWN))

    def target(self, share, drawn=()):
        found = list(KNOWN)
        for place in drawn:
            found.insert(place, f"n{place}")
        further = KNOWN[20 - len(drawn) :]
        return Target(tuple(found), Chance(exploration=Exploration(share, 300, 40, tuple(drawn), further)))

    def test_against_another_share_weighs_whichever_new_items_alike(self):
        found = said(self.PAGE, self.target(0.2, drawn=(1, 5)))

        assert found.weights[2] == pytest.approx(2.0)
        assert found.weights[0] == pytest.approx(0.8 / 0.9)
        assert found.weights[1] == pytest.approx((0.8 / 0.9) ** 2)
        assert not found.unsupported.any()

    def test_against_no_new_items_weighs_the_known_at_their_places(self):
        found = said(self.PAGE, Target(KNOWN))

        chances, _ = exploration.chances(0.1, 300, 40, 6)
        assert found.weights == pytest.approx([1 / chances[0, 0], 1 / chances[1, 1], 0, 0, 0, 0])
        assert not found.unsupported.any()

    def test_against_what_hangs_on_the_same_draw_says_nothing(self):
        moved = Target(KNOWN, Chance(told=False))

        assert said(self.PAGE, moved).unsupported.tolist() == [1.0] * 6
        assert not said(self.PAGE, moved).weights.any()

    def test_new_items_are_one_in_both_laws(self):
        both = pair(self.PAGE, self.target(0.2), AT)

        assert both is not None
        assert both.shown == ("k0", "k1", NEW, "k2", NEW, "k3")
        assert both.base == ("k0", "k1", "k2", "k3", "k4", "k5")


def test_a_certain_page_weighs_what_stays_in_its_place():
    found = said(Page(("a", "b", "c"), MADE, 1, Chance(0.5)), Target(("a", "c", "b", "d")))

    assert found.weights.tolist() == [1, 0, 0]
    assert found.unsupported.tolist() == [0, 1, 1]


def test_of_a_page_whose_chances_nobody_knows_nothing_is_said():
    assert pair(Page(("a",), MADE, 1, Chance(told=False)), Target(("a",)), AT) is None


def test_a_dated_pin_of_the_version_stands_while_it_is_valid():
    page = Page(("a", "b", "p"), MADE, 1)

    late = Target(("a", "b"), reading={"pins": [["p", 1, AT.timestamp() + 9, None, ""]]})
    now = Target(("a", "b"), reading={"pins": [["p", 3, None, None, ""]]})

    assert said(page, late).weights.tolist() == [1, 1, 0]
    assert said(page, now).weights.tolist() == [1, 1, 1]
