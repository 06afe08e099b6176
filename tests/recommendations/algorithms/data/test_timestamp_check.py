import numpy as np
import pytest

from recommendations.algorithms.data.timestamp_check import detect_order, effective_times, loads_from_json

CLOCK = 1_760_000_000.123456
DAY = 86_400.0


def many(people=500, each=40, seed=0):
    """Users' codes, in the order of a file that is sorted by nothing."""
    users = np.repeat(np.arange(people), each)
    return np.random.default_rng(seed).permutation(users)


def in_parts(rows, part=5_000, step=3.7):
    """Times of a load whose parts have an instant each."""
    return CLOCK + step * (np.arange(rows) // part)


class TestNoOrder:
    def test_without_a_column(self):
        order = detect_order(many(), None)

        assert order.times is None
        assert "No event has a time" in order.why

    def test_with_one_time_for_all(self):
        order = detect_order(many(), np.full(20_000, CLOCK))

        assert order.times is None
        assert "All 20,000 events have one time, 2025-10-09 08:53:20Z" in order.why

    @pytest.mark.parametrize("users", [many(), np.sort(many())], ids=["shuffled", "by person"])
    @pytest.mark.parametrize(("start", "part"), [(CLOCK, 5_000), (1_760_000_003.0, 5_000), (CLOCK, 100)])
    def test_with_an_instant_for_each_part_of_a_load(self, users, start, part):
        times = in_parts(len(users), part) - CLOCK + start
        times = np.rint(times) if start == np.floor(start) else times

        order = detect_order(users, times)

        assert order.times is None
        assert "loaded at once" in order.why

    def test_with_a_small_last_part(self):
        users = many()

        assert detect_order(users, in_parts(len(users), part=4_990)).times is None

    def test_where_hardly_anybody_has_two_moments(self):
        users = np.repeat(np.arange(900), 5)
        times = np.repeat(DAY * (20_000 + np.arange(900) % 300), 5)
        times[::500] += DAY

        order = detect_order(users, times)

        assert order.times is None
        assert "Of 900 users with two events or more, 9 have events at different times" in order.why


class TestOrder:
    @pytest.mark.parametrize("unit", [1.0, 60.0, 3_600.0, DAY], ids=["seconds", "minutes", "hours", "days"])
    def test_in_any_resolution(self, unit):
        users = many()
        times = np.floor((1.7e9 + np.random.default_rng(1).uniform(0, 90 * DAY, len(users))) / unit) * unit

        order = detect_order(users, times)

        assert order.times is times
        assert order.why == ""

    def test_where_everybody_takes_each_step_at_once(self):
        users = np.tile(np.arange(1_000), 40)
        times = 1_760_000_007.0 + np.repeat(np.arange(40.0), 1_000)

        assert detect_order(users, times).times is times

    def test_of_events_that_a_client_sends_in_batches(self):
        rows = 100_000
        users = np.random.default_rng(2).integers(0, 1_000, rows)
        times = (CLOCK + 67.1 * (np.arange(rows) // 25)).astype(np.float64)

        assert detect_order(users, times).why == ""

    def test_of_people_with_a_row_each(self):
        times = (1.7e9 + 1000.5 * np.arange(300)).astype(np.float64)

        assert detect_order(np.arange(300), times).times is times

    def test_of_nothing(self):
        assert detect_order(np.array([], dtype=int), np.array([])).why == ""


class TestMixture:
    def _mixed(self, later):
        users = many()
        loaded = in_parts(len(users))
        live = loaded.max() + later * (3_600.0 + 977.3 * np.arange(1_000))
        return np.append(users, np.arange(1_000) % 250), np.append(loaded, live), len(users)

    def test_ties_what_was_loaded_and_orders_the_rest(self):
        users, times, loaded = self._mixed(1.0)

        order = detect_order(users, times)

        assert order.times is not None
        assert set(order.times[:loaded]) == {CLOCK}
        assert np.array_equal(order.times[loaded:], times[loaded:])
        assert "20,000 of 21,000 events have the time of a load (2025-10-09 08:53:20Z)" in order.why

    def test_a_load_that_came_late_is_history_all_the_same(self):
        users, times, loaded = self._mixed(-1.0)

        order = detect_order(users, times)

        assert order.times is not None
        assert order.times[:loaded].max() < order.times[loaded:].min()
        assert "before all others" in order.why

    def test_loads_weeks_apart_keep_their_order(self):
        users = np.append(many(), many(seed=1))
        times = np.append(in_parts(20_000), in_parts(20_000) + 14 * DAY)

        order = detect_order(users, times)

        assert order.times is not None
        assert set(order.times) == {CLOCK, CLOCK + 14 * DAY}
        assert "one moment each of 2 loads" in order.why

    def test_histories_are_read_as_they_were_learnt_from(self):
        users, times, _ = self._mixed(-1.0)
        order = detect_order(users, times)
        assert order.times is not None

        assert np.array_equal(effective_times(times, loads_from_json(order.as_json())), order.times)

    def test_what_an_older_artefact_says_holds_no_loads(self):
        assert loads_from_json(None) == ()
