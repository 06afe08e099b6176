import numpy as np
import pytest

from recommendations.algorithms.data.dataset import Interactions, InvalidInteractions


def build(users, items, times, user_ids=("b", "a"), item_ids=("10", "9", "1")):
    return Interactions.from_codes(
        np.array(users), np.array(items), None if times is None else np.array(times), user_ids, item_ids
    )


class TestFromCodes:
    def test_sorts_ids_as_strings_and_rows_by_person_time_item(self):
        data = build([0, 0, 1], [1, 0, 2], [5.0, 3.0, 9.0])

        assert data.user_ids == ("a", "b")
        assert data.item_ids == ("1", "10", "9")
        assert data.users.tolist() == [0, 1, 1]
        assert data.items.tolist() == [0, 1, 2]
        assert data.times.tolist() == [9.0, 3.0, 5.0]

    def test_keeps_the_latest_of_a_repeated_pair(self):
        data = build([0, 0, 0], [1, 1, 0], [5.0, 8.0, 6.0])

        assert data.row_count == 2
        assert data.times.tolist() == [6.0, 8.0]
        assert data.item_counts().tolist() == [0, 1, 1]

    def test_keeps_one_of_a_repeated_pair_without_times(self):
        data = build([0, 0, 1], [1, 1, 1], None)

        assert data.row_count == 2
        assert data.times is None

    def test_ties_in_time_are_ordered_by_item(self):
        data = build([0, 0, 0], [1, 0, 2], [1.0, 1.0, 1.0])

        assert [data.item_ids[item] for item in data.items] == ["1", "10", "9"]

    def test_knows_where_each_person_starts(self):
        data = build([0, 0, 1], [1, 0, 2], None)

        assert data.starts().tolist() == [0, 1, 3]

    def test_accepts_no_rows(self):
        data = build(np.empty(0, int), np.empty(0, int), np.empty(0))

        assert data.row_count == 0
        assert data.matrix().shape == (2, 3)

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            (([0], [0, 1], None), "users has 1 rows and items has 2"),
            (([0], [0], [1.0, 2.0]), "times has 2"),
            (([0], [0], [np.nan]), "not finite"),
            (([0], [3], None), r"items holds a code outside 0\.\.2"),
            (([-1], [0], None), "users holds a code outside"),
            (([0.5], [0], None), "users must hold whole numbers"),
        ],
    )
    def test_says_what_is_wrong(self, columns, message):
        with pytest.raises(InvalidInteractions, match=message):
            build(*columns)

    def test_refuses_repeated_ids(self):
        with pytest.raises(InvalidInteractions, match="the ids of items repeat"):
            build([0], [0], None, item_ids=("x", "x"))


class TestSelect:
    def test_keeps_ids_and_codes(self):
        data = build([0, 0, 1], [1, 0, 2], [5.0, 3.0, 9.0])

        part = data.select(np.array([False, True, False]))

        assert part.items.tolist() == [1]
        assert part.item_ids == data.item_ids
