import numpy as np

from recommendations.algorithms.data.sequences import LARGEST_STEP, Steps, window_within
from tests.recommendations.algorithms.generated import interactions

DATA = interactions([("a", "x", 1.0), ("a", "y", 2.0), ("a", "z", 2.0), ("a", "x2", 3.0), ("b", "x", 9.0)])


class TestSteps:
    def test_rows_of_one_moment_are_one_step(self):
        steps = Steps.from_interactions(DATA)

        assert steps.users.tolist() == [0, 0, 0, 1]
        assert DATA.item_ids == ("x", "x2", "y", "z")
        assert steps.contents.toarray().tolist() == [[1, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0], [1, 0, 0, 0]]
        assert steps.shares.toarray()[1].tolist() == [0, 0, 0.5, 0.5]

    def test_later_adds_up_the_decayed_future_of_the_same_person(self):
        later = Steps.from_interactions(DATA).later(np.array([1.0, 0.25], dtype=np.float32)).toarray()

        assert later.tolist() == [[0, 0.25, 0.5, 0.5], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]

    def test_earlier_adds_up_the_decayed_past_of_the_same_person(self):
        earlier = Steps.from_interactions(DATA).earlier(np.array([1.0, 0.25], dtype=np.float32)).toarray()

        assert earlier.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [0.25, 0, 1, 1], [0, 0, 0, 0]]

    def test_keeps_the_steps_when_it_keeps_some_items(self):
        steps = Steps.from_interactions(DATA).select_items(np.array([0, 3], dtype=np.int32))

        assert steps.shares.toarray().tolist() == [[1, 0], [0, 0.5], [0, 0], [1, 0]]
        assert steps.users.tolist() == [0, 0, 0, 1]

    def test_a_bulk_import_says_nothing(self):
        rows = [("a", f"i{item}", 1.0) for item in range(LARGEST_STEP + 1)]

        steps = Steps.from_interactions(interactions([*rows, ("a", "z", 2.0)]))

        assert steps.contents.sum(axis=1).tolist() == [0, 1]


def test_the_window_shrinks_with_the_data():
    assert window_within(20, DATA, max_pairs=1_000) == 20
    assert window_within(20, DATA, max_pairs=17) == 3
    assert window_within(20, DATA, max_pairs=1) == 1
