"""The generic cell rate algorithm against hand-computed charges."""

import pytest

from core.ratelimit.gcra import next_arrival


def charge_all(costs, *, burst_seconds, now=100.0):
    """Return the waits of charges that are made at one moment, one after another."""
    arrival, waits = 0.0, []
    for cost in costs:
        arrival, wait = next_arrival(arrival, now=now, cost_seconds=cost, burst_seconds=burst_seconds)
        waits.append(wait)
    return waits


class TestNextArrival:
    def test_it_accepts_a_burst_and_spreads_the_rest(self):
        assert charge_all([1, 1, 1, 1, 1], burst_seconds=3) == [0, 0, 0, 1, 2]

    def test_it_refills_with_time(self):
        arrival, _ = next_arrival(0.0, now=100.0, cost_seconds=3, burst_seconds=3)

        assert next_arrival(arrival, now=101.0, cost_seconds=1, burst_seconds=3) == (104.0, 0.0)
        assert next_arrival(arrival, now=100.0, cost_seconds=1, burst_seconds=3) == (104.0, 1.0)

    def test_it_lets_a_cost_above_the_burst_wait_until_nothing_else_counts(self):
        assert charge_all([1, 10], burst_seconds=3) == [0, 1]

    @pytest.mark.parametrize("unused", [0.0, 99.9])
    def test_it_saves_nothing_up_beyond_the_burst(self, unused):
        assert next_arrival(unused, now=100.0, cost_seconds=1, burst_seconds=3) == (101.0, 0.0)
