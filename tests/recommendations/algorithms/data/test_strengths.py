"""Strengths of events: strong ones count more, and negative ones push away."""

import numpy as np
import pytest

from recommendations.algorithms.data.dataset import Interactions, InvalidInteractions
from recommendations.algorithms.data.history import History, RankedHistory, weighted_matrix
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.models.popularity import Popularity
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, tastes
from tests.recommendations.algorithms.suite import dense

OPTIONS = TrainingOptions(threads=1)


def strong(strengths):
    """Two users, x and y; the first has x twice."""
    return Interactions.from_codes(
        np.array([0, 0, 1]), np.array([0, 0, 1]), np.array([1.0, 2.0, 3.0]), ["a", "b"], ["x", "y"], np.array(strengths)
    )


class TestStrengths:
    def test_a_pair_is_as_strong_as_its_strongest_row_and_the_mean_is_one(self):
        assert strong([3.0, 1.0, 1.0]).strengths.tolist() == [1.5, 0.5]

    def test_equal_strengths_are_none(self):
        assert strong([3.0, 1.0, 3.0]).strengths is None

    @pytest.mark.parametrize("wrong", [[1.0, 1.0, 0.0], [1.0, 1.0, -1.0], [1.0, np.nan, 1.0], [1.0]])
    def test_refuses_what_is_no_strength(self, wrong):
        with pytest.raises(InvalidInteractions, match="strengths"):
            strong(wrong)

    def test_popularity_counts_them(self):
        assert Popularity().fit(strong([3.0, 1.0, 1.0]), OPTIONS).values.tolist() == [1.5, 0.5]

    def test_a_training_with_strengths_differs(self):
        data = interactions(tastes())
        draw = np.random.default_rng(1)
        weighted = Interactions.from_codes(
            data.users, data.items, data.times, data.user_ids, data.item_ids, draw.choice([1.0, 3.0], data.row_count)
        )

        plain, with_strengths = train(data, OPTIONS), train(weighted, OPTIONS)

        assert with_strengths.chosen["decided"] is True
        assert not np.array_equal(dense(plain.fitted["ease"]), dense(with_strengths.fitted["ease"]))


class TestHistories:
    def test_an_item_speaks_as_much_as_its_strongest_row_and_as_late_as_its_latest(self):
        """As in a training: a purchase stays one when its item is viewed again."""
        rows = History(np.array([4, 2, 4]), np.array([1.0, 2.0, 3.0]), np.array([3.0, 1.0, 1.0]))

        history = RankedHistory.from_history(rows, 5)

        assert history.items.tolist() == [2, 4]
        assert history.weights.tolist() == [1.0, 3.0]
        assert history.ranks.tolist() == [1.0, 0.0]


class TestNegatives:
    def test_the_latest_row_of_an_item_says_what_counts(self):
        history = RankedHistory.from_history(
            History(np.array([4, 4, 2]), np.array([1.0, 2.0, 3.0]), np.array([1, -2, 1.0])), 5
        )

        assert history.items.tolist() == [2, 4]
        assert history.weights.tolist() == [1.0, -2.0]
        assert weighted_matrix([history], half_life=1.0, item_count=5).toarray().tolist() == [[0, 0, 1, 0, -1]]

    def test_what_somebody_disliked_is_not_proposed_and_pushes_its_kind_away(self):
        data = interactions(tastes())
        recommender = Recommender(train(data, OPTIONS))
        items = {item: place for place, item in enumerate(data.item_ids)}
        liked = [items[f"i{number}"] for number in (0, 6, 12)]
        disliked = [items[f"i{number}"] for number in (1, 7, 13)]

        def of_the_disliked_kind(weights):
            history = History(np.array(liked + disliked), np.arange(6.0), np.array(weights, dtype=np.float32))
            (proposals,) = recommender.recommend([history], limit=30)
            assert not set(proposals.items.tolist()) & set(liked + disliked)
            assert not set(proposals.evidence.ravel().tolist()) & set(disliked) or weights[-1] > 0
            return sum(int(data.item_ids[item][1:]) % 6 == 1 for item in proposals.items.tolist())

        assert of_the_disliked_kind([1, 1, 1, -1, -1, -1]) < 3 < of_the_disliked_kind([1, 1, 1, 1, 1, 1])

    def test_refuses_weights_of_another_length(self):
        with pytest.raises(ValueError, match="2 items and 1 weights"):
            RankedHistory.from_history(History(np.array([1, 2]), None, np.array([1.0], dtype=np.float32)), 5)
