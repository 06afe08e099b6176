"""The time budget: what there is no time for is left out, and is named."""

import itertools

import pytest

from recommendations.algorithms.data.history import histories_of
from recommendations.algorithms.inference.recommender import Recommender
from recommendations.algorithms.models.ease import EASE
from recommendations.algorithms.models.protocol import ItemVector
from recommendations.algorithms.models.registry import ALGORITHMS
from recommendations.algorithms.training import hyperparameters
from recommendations.algorithms.training.time_budget import TimeBudget
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import make_fold
from tests.recommendations.algorithms.generated import interactions, tastes
from tests.recommendations.algorithms.suite import table


def ticking(step):
    """A clock that moves on by `step` whenever it is read."""
    moments = itertools.count()
    return lambda: next(moments) * step


class TestBudget:
    def test_without_a_limit_lets_everything_pass(self):
        budget = TimeBudget(0.0, ticking(1e6))

        assert budget.may_try("ease", always=False)
        assert budget.may_fit("ease", always=False)
        assert budget.skipped == []

    def test_leaves_out_what_its_trial_says_will_not_fit(self):
        now = [0.0]
        budget = TimeBudget(100.0, lambda: now[0])
        now[0] = 30.0
        assert budget.may_try("ease", always=False)
        now[0] = 60.0
        budget.record("ease", 30.0)

        assert not budget.may_try("als", always=False)
        assert budget.may_fit("ease", always=False)
        now[0] = 62.0
        assert not budget.may_fit("ease", always=False)
        assert budget.may_fit("popularity", always=True)
        assert (budget.skipped, budget.not_refitted) == (["als"], ["ease"])


@pytest.mark.parametrize("step", [0.4, 5.0], ids=["some time", "hardly any"])
def test_a_training_without_enough_time_still_serves(step):
    data = interactions(tastes())

    artefact = train(data, TrainingOptions(threads=1, seconds=10.0), timer=ticking(step))

    assert artefact.chosen["skipped"]
    assert not {read.algorithm for read in artefact.scorers} & set(artefact.chosen["skipped"])
    assert artefact.weights.sum() == pytest.approx(1.0)
    lists = Recommender(artefact).recommend(histories_of(data)[:5], limit=20)
    assert all(len(each.items) == 20 for each in lists)


def test_what_cannot_be_fitted_again_serves_as_it_was_on_the_fold():
    """EASE takes 30 of 60 seconds: there is time for its trial, and none for a second one."""
    data, now = interactions(tastes()), [0.0]

    class Slow(EASE):
        def fit(self, interactions, options):
            now[0] += 30.0
            return super().fit(interactions, options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hyperparameters, "ALGORITHMS", {**ALGORITHMS, "ease": Slow()})
        artefact = train(data, TrainingOptions(threads=1, seconds=60.0, validation="last"), timer=lambda: now[0])

    assert now[0] == 30.0
    assert artefact.chosen["not_refitted"] == ["ease"]
    assert artefact.chosen["similar_from"] == "ease"
    past = make_fold(data, TrainingOptions(threads=1, validation="last")).parts[0].past
    expected = table(EASE().fit(past, TrainingOptions(threads=1)))
    fitted = artefact.fitted["ease"]
    assert not isinstance(fitted, ItemVector)
    assert abs(table(fitted) - expected).max() == 0
    assert artefact.validation_scores.ndcg.mean() == pytest.approx(
        artefact.chosen["validation_ndcg@10"]["blend"], abs=1e-5
    )
