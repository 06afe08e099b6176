import numpy as np
import pytest

from recommendations.algorithms.data.history import History, RankedHistory, weighted_matrix


def ranked(items, times=None):
    return RankedHistory.from_history(History(np.array(items, dtype=np.int32), times), item_count=10)


class TestRankedHistory:
    def test_takes_the_given_order_without_times(self):
        history = ranked([7, 3, 5])

        assert history.items.tolist() == [3, 5, 7]
        assert history.ranks.tolist() == [1, 0, 2]

    def test_times_decide_the_order_and_ties_share_a_rank(self):
        history = ranked([7, 3, 5], np.array([9.0, 1.0, 1.0]))

        assert history.items.tolist() == [3, 5, 7]
        assert history.ranks.tolist() == [1.5, 1.5, 0]

    def test_a_repeated_item_counts_once_where_it_was_last(self):
        history = ranked([7, 3, 7])

        assert history.items.tolist() == [3, 7]
        assert history.ranks.tolist() == [1, 0]

    def test_refuses_unknown_items(self):
        with pytest.raises(ValueError, match=r"outside 0\.\.9"):
            ranked([10])

    def test_refuses_times_of_another_length(self):
        with pytest.raises(ValueError, match="2 items and 1 times"):
            ranked([1, 2], np.array([1.0]))


class TestWeightedMatrix:
    def test_has_a_row_per_person_and_drops_what_is_negligible(self):
        histories = [ranked([7, 3]), ranked([]), ranked(list(range(10)))]

        matrix = weighted_matrix(histories, half_life=1.0, item_count=10).toarray()

        assert matrix[0, 3] == 1.0
        assert matrix[0, 7] == 0.5
        assert not matrix[1].any()
        assert matrix[2, 0] == 0.0
        assert matrix[2, 1] == 2**-8
