"""The probability of each item at each place: against sums over all orders, and against draws."""

from itertools import permutations

import numpy as np
import pytest

from recommendations.algorithms.offpolicy import exploration, plackett_luce, propensities

USUAL = tuple(1 / (place + 5) for place in range(60))


class TestPlackettLuce:
    @pytest.mark.parametrize("weights", [(1.0, 2.0, 3.0), (0.2, 0.1, 0.05, 0.03, 0.3), (1.0,)])
    def test_equals_the_sum_over_all_orders(self, weights):
        expected = np.zeros((len(weights), len(weights)))
        for order in permutations(range(len(weights))):
            chance, left = 1.0, sum(weights)
            for item in order:
                chance *= weights[item] / left
                left -= weights[item]
            for place, item in enumerate(order):
                expected[item, place] += chance

        assert np.allclose(plackett_luce.chances(weights, len(weights)), expected, atol=1e-10)

    def test_the_order_of_lists_is_the_one_that_its_draws_have(self):
        rates, draws = np.array(USUAL), 60_000
        rings = np.random.default_rng(1).exponential(size=(draws, 60)) / rates
        first = np.argsort(rings, axis=1)[:, :20]
        seen = np.stack([np.bincount(first[:, place], minlength=60) / draws for place in range(20)], axis=1)

        chances = plackett_luce.chances(USUAL, 20)

        assert np.allclose(chances.sum(axis=0), 1.0, atol=1e-10)
        assert np.abs(seen - chances).max() < 5 * np.sqrt(chances.max() / draws)
        assert chances[:, 0] == pytest.approx(rates / rates.sum())

    def test_more_places_than_items_stay_empty_and_nonsense_is_refused(self):
        assert plackett_luce.chances((1.0, 1.0), 4)[:, 2:].sum() == 0
        assert plackett_luce.chances((), 3).shape == (0, 3)
        with pytest.raises(ValueError, match="above 0"):
            plackett_luce.chances((1.0, 0.0), 2)


class TestExploration:
    @pytest.mark.parametrize(("share", "known", "new"), [(0.1, 50, 50), (0.5, 3, 9), (0.3, 9, 1), (0.0, 5, 5)])
    def test_each_place_is_taken_as_long_as_there_is_anything(self, share, known, new):
        of_known, of_new = exploration.chances(share, known, new, 20)

        taken = of_known.sum(axis=0) + of_new
        assert taken == pytest.approx([1.0] * min(20, known + new) + [0.0] * max(0, 20 - known - new))
        assert of_new[0] == pytest.approx(share)


class TestLaw:
    def test_pins_stand_and_the_others_are_drawn_around_them(self):
        found = propensities.sampled(
            ["a", "b", "c"], [1.0, 1.0, 1.0], 5, behind=["x", "y", "z"], pinned={1: "p", 9: "far"}
        )

        rows = found.rows()
        assert found.chances[rows["p"]].tolist() == [0, 1, 0, 0, 0]
        assert found.chances[rows["a"]] == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3, 0])
        assert found.chances[rows["x"]].tolist() == [0, 0, 0, 0, 1]
        assert found.chances.sum(axis=0) == pytest.approx([1.0] * 5)
        assert "far" not in rows

    def test_an_overlap_weighs_what_was_shown_and_tells_what_could_not_be(self):
        logged = propensities.sampled(["a", "b"], [3.0, 1.0], 2)
        target = propensities.deterministic(["b", "c"], 2)

        found = propensities.importance_weights(logged=logged, target=target, shown=["b", "a"])

        assert found.weights == pytest.approx([4.0, 0.0])
        assert found.unsupported == pytest.approx([0.0, 1.0])

    def test_a_law_against_itself_weighs_one(self):
        same = propensities.sampled(["a", "b", "c"], [3.0, 2.0, 1.0], 3)

        found = propensities.importance_weights(logged=same, target=same, shown=["c", "a", "b"])

        assert found.weights == pytest.approx([1.0] * 3)
        assert not found.unsupported.any()
