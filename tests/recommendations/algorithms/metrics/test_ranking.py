import math

import numpy as np
import pytest

from recommendations.algorithms.metrics.ranking import summarise, user_metrics


class TestPersonMetrics:
    def test_equals_what_was_computed_by_hand(self):
        """Hits on ranks 2 and 12; three relevant items, one of which cannot be proposed."""
        ranked = np.array([90, 1, *range(91, 100), 2, 80])

        found = user_metrics(ranked, {1, 2, -1})

        ideal = 1 + 1 / math.log2(3) + 1 / 2
        assert found == pytest.approx(
            {
                "ndcg@10": (1 / math.log2(3)) / ideal,
                "recall@10": 1 / 3,
                "recall@20": 2 / 3,
                "hit_rate@10": 1.0,
                "mrr@10": 1 / 2,
            }
        )

    def test_a_perfect_list_scores_one(self):
        assert user_metrics(np.arange(30), set(range(12)))["ndcg@10"] == pytest.approx(1.0)

    def test_a_short_list_is_not_an_error(self):
        assert user_metrics(np.array([5]), {5, 6})["recall@20"] == 0.5

    def test_no_hit_scores_zero(self):
        assert set(user_metrics(np.array([1, 2]), {3}).values()) == {0.0}

    def test_nothing_relevant_is_refused(self):
        with pytest.raises(ValueError, match="relevant is empty"):
            user_metrics(np.array([1]), set())


class TestSummarise:
    def test_averages_people_and_states_the_standard_error(self):
        lists = [np.array([1, 2]), np.array([1, 3])]

        found = summarise(lists, [{1}, {4}], item_count=10)

        assert found["hit_rate@10"] == 0.5
        assert found["hit_rate@10_se"] == pytest.approx(0.5)  # deviation 0.7071, divided by the root of 2 users
        assert found["coverage@10"] == 0.3

    def test_nobody_scores_zero(self):
        assert summarise([], [], item_count=0)["ndcg@10"] == 0.0
