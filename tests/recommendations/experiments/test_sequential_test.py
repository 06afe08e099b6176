"""Comparing while the data come in: seldom wrong without an effect, right with one, whenever one looks."""

import numpy as np
import pytest

from recommendations.experiments.sequential_test import Share, compare, ratio_p

ALPHA, SEEDS, PER_LOOK, LOOKS = 0.05, 300, 200, 60


def run(seed, control, arm):
    """Looks after every PER_LOOK people in each arm and stops at the first call: the comparison, or None."""
    chance = np.random.default_rng(seed)
    counts = np.cumsum(chance.binomial(PER_LOOK, [control, arm], size=(LOOKS, 2)), axis=0)
    p = 1.0
    for look, (own, other) in enumerate(counts, start=1):
        seen = compare(Share(look * PER_LOOK, int(other)), Share(look * PER_LOOK, int(own)), alpha=ALPHA, before=p)
        p = seen.p
        if p <= ALPHA:
            return seen
    return None


@pytest.mark.parametrize("share", [0.02, 0.08, 0.3])
def test_calls_nothing_where_there_is_nothing_more_often_than_alpha(share):
    called = sum(run(seed, share, share) is not None for seed in range(SEEDS))

    assert called <= ALPHA * SEEDS


def test_a_test_made_for_one_look_would_be_wrong_far_more_often():
    """Shows the need for the sequential test: the usual z test at every look."""
    wrong = 0
    for seed in range(SEEDS):
        counts = np.cumsum(np.random.default_rng(seed).binomial(PER_LOOK, [0.08, 0.08], size=(LOOKS, 2)), axis=0)
        people = PER_LOOK * np.arange(1, LOOKS + 1)
        shares = counts / people[:, None]
        spread = np.sqrt((shares * (1 - shares)).sum(axis=1) / people)
        wrong += bool((np.abs(shares[:, 1] - shares[:, 0]) / spread > 1.96).any())

    assert wrong > 4 * ALPHA * SEEDS


@pytest.mark.parametrize(("control", "arm"), [(0.08, 0.11), (0.11, 0.08)])
def test_calls_an_effect_with_its_sign(control, arm):
    found = [run(seed, control, arm) for seed in range(SEEDS)]

    called = [seen for seen in found if seen is not None]
    assert len(called) >= 0.95 * SEEDS
    assert sum((seen.difference > 0) == (arm > control) for seen in called) >= 0.99 * len(called)


def test_the_interval_holds_the_truth_at_every_look_at_once():
    misses = 0
    for seed in range(SEEDS):
        counts = np.cumsum(np.random.default_rng(seed).binomial(PER_LOOK, [0.1, 0.13], size=(LOOKS, 2)), axis=0)
        for look, (own, other) in enumerate(counts, start=1):
            seen = compare(Share(look * PER_LOOK, int(other)), Share(look * PER_LOOK, int(own)), alpha=ALPHA)
            if seen.low is not None and seen.high is not None and not seen.low <= 0.03 <= seen.high:
                misses += 1
                break

    assert misses <= ALPHA * SEEDS


def test_p_never_rises_and_few_successes_decide_nothing():
    assert compare(Share(100, 10), Share(100, 19), alpha=ALPHA).low is None
    assert compare(Share(1000, 100), Share(1000, 100), alpha=ALPHA, before=0.2).p == 0.2
    assert compare(Share(50, 50), Share(50, 50), alpha=ALPHA).p == 1.0


def test_shares_that_hold_are_seldom_called_and_broken_ones_are():
    wrong, right = 0, 0
    for seed in range(SEEDS):
        chance = np.random.default_rng(seed)
        for drawn, broken in ((0.5, False), (0.46, True)):
            arrived = np.cumsum(chance.binomial(PER_LOOK, drawn, size=LOOKS))
            p = 1.0
            for look, first in enumerate(arrived, start=1):
                p = ratio_p([int(first), look * PER_LOOK - int(first)], [0.5, 0.5], before=p)
            wrong += not broken and p <= 0.01
            right += broken and p <= 0.01

    assert wrong <= 0.01 * SEEDS
    assert right >= 0.99 * SEEDS
