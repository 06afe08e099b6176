import numpy as np
import pytest

from recommendations.algorithms.validation.splitting import InvalidSplit, Rows, split


def rows(counts, times=None):
    users = np.repeat(np.arange(len(counts)), counts)
    seconds = np.arange(len(users), dtype=float) if times is None else np.array(times, dtype=float)
    return Rows(users=users, items=np.arange(len(users)), times=seconds)


class TestLast10:
    @pytest.mark.parametrize(
        ("count", "held"), [(4, 0), (5, 1), (10, 1), (15, 2), (25, 2), (26, 3), (35, 4), (100, 10)]
    )
    def test_holds_out_a_tenth_rounded_to_even(self, count, held):
        parts = split(rows([count]), protocol="last10", seed=0)

        assert parts.test.sum() == held
        assert not parts.test[: count - held].any()
        assert (parts.train != parts.test).all()

    def test_takes_each_persons_latest_whatever_the_order_of_rows(self):
        times = [5, 4, 3, 2, 1, 10, 50, 30, 20, 40]

        parts = split(rows([5, 5], times), protocol="last10", seed=0)

        assert np.flatnonzero(parts.test).tolist() == [0, 6]

    def test_breaks_ties_by_numbers_drawn_in_file_order(self):
        drawn = np.random.default_rng(3).random(10)

        parts = split(rows([10], np.zeros(10)), protocol="last10", seed=3)

        assert np.flatnonzero(parts.test).tolist() == [int(drawn.argmax())]

    def test_needs_times(self):
        with pytest.raises(InvalidSplit, match="needs times"):
            split(Rows(np.zeros(9), np.arange(9)), protocol="last10", seed=0)


class TestRand10:
    def test_ignores_times(self):
        data = rows([20, 20])

        with_times = split(data, protocol="rand10", seed=1)
        without = split(Rows(data.users, data.items), protocol="rand10", seed=1)

        assert np.array_equal(with_times.test, without.test)
        assert np.bincount(data.users[with_times.test]).tolist() == [2, 2]

    def test_depends_on_the_seed(self):
        first, second = (split(rows([50]), protocol="rand10", seed=seed) for seed in (0, 1))

        assert not np.array_equal(first.test, second.test)


class TestGlobal80:
    def test_cuts_all_rows_at_one_moment_and_tests_known_people(self):
        times = [1, 2, 3, 9, 4, 5, 6, 7, 8, 10]
        data = Rows(np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 2]), np.arange(10), np.array(times, dtype=float))

        parts = split(data, protocol="global80", seed=0)

        assert parts.train.sum() == 8
        assert np.flatnonzero(parts.test).tolist() == [3]
        assert not parts.train[9]


def test_an_unknown_protocol_is_refused():
    with pytest.raises(InvalidSplit, match="choose one of last10, rand10, global80"):
        split(rows([5]), protocol="last20", seed=0)
