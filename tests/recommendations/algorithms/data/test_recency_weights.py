import numpy as np
import pytest

from recommendations.algorithms.data.recency_weights import ranks_from_the_end, weights


class TestRanks:
    def test_count_back_from_the_latest(self):
        assert ranks_from_the_end(np.array([1.0, 2.0, 3.0])).tolist() == [2, 1, 0]

    def test_tied_rows_share_the_mean(self):
        assert ranks_from_the_end(np.array([1.0, 2.0, 2.0, 2.0, 3.0])).tolist() == [4, 2, 2, 2, 0]

    def test_all_tied(self):
        assert ranks_from_the_end(np.zeros(4)).tolist() == [1.5, 1.5, 1.5, 1.5]

    def test_of_nothing(self):
        assert ranks_from_the_end(np.empty(0)).tolist() == []


class TestWeights:
    def test_halve_with_each_half_life(self):
        assert weights(np.array([4.0, 2.0, 0.0]), 2.0) == pytest.approx([0.25, 0.5, 1.0])

    def test_are_zero_where_negligible(self):
        assert weights(np.array([9.0, 8.0, 0.0]), 1.0).tolist() == [0.0, 2**-8, 1.0]

    def test_are_all_one_for_an_infinite_half_life(self):
        assert weights(np.array([1000.0, 0.0]), np.inf).tolist() == [1.0, 1.0]

    def test_a_large_tie_keeps_its_weight(self):
        assert weights(np.full(100, 49.5), 1.0).tolist() == [1.0] * 100
