"""The time budget: what there is no time for is left out, and is named."""

import itertools

import pytest

from recommendations.algorithms.history import histories_of
from recommendations.algorithms.options import TrainingOptions
from recommendations.algorithms.recommender import Recommender
from recommendations.algorithms.timing import Budget
from recommendations.algorithms.training import train
from tests.recommendations.algorithms.generated import interactions, tastes


def ticking(step):
    """A clock that moves on by `step` whenever it is read."""
    moments = itertools.count()
    return lambda: next(moments) * step


class TestBudget:
    def test_without_a_limit_lets_everything_pass(self):
        budget = Budget(0.0, ticking(1e6))

        assert budget.may_try("ease", always=False)
        assert budget.may_fit("ease", always=False)
        assert budget.skipped == []

    def test_leaves_out_what_its_trial_says_will_not_fit(self):
        now = [0.0]
        budget = Budget(100.0, lambda: now[0])
        now[0] = 30.0
        assert budget.may_try("ease", always=False)
        now[0] = 60.0
        budget.measured("ease", 30.0)

        assert not budget.may_try("als", always=False)
        assert budget.may_fit("ease", always=False)
        now[0] = 62.0
        assert not budget.may_fit("ease", always=False)
        assert budget.may_fit("popularity", always=True)
        assert budget.skipped == ["als", "ease"]


@pytest.mark.parametrize("step", [0.4, 5.0], ids=["some time", "hardly any"])
def test_a_training_without_enough_time_still_serves(step):
    data = interactions(tastes())

    artefact = train(data, TrainingOptions(threads=1, seconds=10.0), timer=ticking(step))

    assert artefact.chosen["skipped"]
    assert not {read.algorithm for read in artefact.reads} & set(artefact.chosen["skipped"])
    assert artefact.weights.sum() == pytest.approx(1.0)
    lists = Recommender(artefact).recommend(histories_of(data)[:5], limit=20)
    assert all(len(each.items) == 20 for each in lists)
