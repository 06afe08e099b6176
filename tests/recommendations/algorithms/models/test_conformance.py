import math

import pytest

from recommendations.algorithms.models.registry import ALGORITHMS
from tests.recommendations.algorithms.suite import AlgorithmSuite, MatrixSuite


def fading(days: int) -> list[float]:
    """x twice two days ago, y twice yesterday, z once at the end; yesterday is the second of three users."""
    return [2 * 2 ** (-1 / days), 2.0, 1.0]


# Rows x, y, z of HAND: two users have x and y, one has z.
ROOT = math.sqrt(2)
NEXT = [[0, 2 / ROOT, 0.5 / ROOT], [0, 0, 1 / ROOT], [0, 0, 0]]
# What a past step weighs at distance 2 with a half-life of 5 steps.
Q = 2**-0.2
EXPECTED = {
    "popularity": [2, 2, 1],
    **{f"recent_popularity@{days}d": fading(days) for days in (2, 7, 21, 60, 365)},
    "item_item": [[0, 1, 1 / ROOT], [1, 0, 1 / ROOT], [1 / ROOT, 1 / ROOT, 0]],
    # X'X + 300 I = [[302, 2, 1], [2, 302, 1], [1, 1, 301]]; -P[i, j] / P[j, j] is a ratio of its cofactors.
    "ease": [
        [0, 601 / 90_901, 300 / 91_200],
        [601 / 90_901, 0, 300 / 91_200],
        [300 / 90_901, 300 / 90_901, 0],
    ],
    "next_item@3": NEXT,
    "next_item@20": NEXT,
    # Z'Z + 100 I = [[102 + Q^2, Q], [Q, 101]] for x and y; Z'Y: x-y 2, x-z 1/2 + Q, y-z 1. Inverted by cofactors.
    "past_to_next": [
        [0, 202, 101 * (0.5 + Q) - Q],
        [0, 0, 102 + Q**2 - Q * (0.5 + Q)],
        [0, 0, 0],
    ],
    # x-y twice one step apart, y-z once one step apart, x-z once two steps apart; the target's power is 0.3.
    "co_occurrence": [
        [0, 2 * 2**-0.5 * 2**-0.8, 0.5 * 2**-0.5],
        [2 * 2**-0.5 * 2**-0.8, 0, 2**-0.5 * 2**-0.5],
        [0.5 * 2**-0.3, 2**-0.5 * 2**-0.3, 0],
    ],
    # Two users have no spectrum to filter; test_graph_filter.py holds a graph whose filter is known.
    "graph_filter": None,
    # The same for factors; test_factors.py holds the answer for complete groups.
    "als": None,
}


@pytest.mark.parametrize("name", ALGORITHMS)
class TestEveryAlgorithm(AlgorithmSuite):
    @pytest.fixture
    def algorithm(self, name):
        return ALGORITHMS[name]

    @pytest.fixture
    def expected(self, name):
        return EXPECTED[name]


@pytest.mark.parametrize("name", [name for name, algorithm in ALGORITHMS.items() if algorithm.half_lives])
class TestEveryMatrix(MatrixSuite):
    @pytest.fixture
    def algorithm(self, name):
        return ALGORITHMS[name]
