"""Parameters of parts are fitted on the fold, and kept while the data is nearly the same."""

from dataclasses import replace

import numpy as np
import pytest

from recommendations.algorithms.data.dataset import Interactions
from recommendations.algorithms.inference.artefact import Artefact
from recommendations.algorithms.models.ease import EASE
from recommendations.algorithms.training import parameter_search
from recommendations.algorithms.training.parameter_search import SelectedHyperparameters
from recommendations.algorithms.training.time_budget import TimeBudget
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from recommendations.algorithms.validation.folds import make_fold
from tests.recommendations.algorithms.generated import interactions, tastes

OPTIONS = TrainingOptions(threads=1, validation="last")


@pytest.fixture(scope="module")
def data() -> Interactions:
    return interactions(tastes())


@pytest.fixture(scope="module")
def artefact(data):
    return train(data, OPTIONS)


def counting(monkeypatch) -> list[str]:
    """Grows by the name of each part whose parameters are fitted."""
    seen: list[str] = []
    monkeypatch.setattr(
        parameter_search.HyperparameterSearch, "fit_parameters", lambda _self, name, _reads: seen.append(name)
    )
    return seen


def best_of(name: str, artefact: Artefact) -> float:
    """Return what the best read of an algorithm reached on the fold."""
    reached: dict[str, float] = artefact.chosen["validation_ndcg@10"]
    return max(value for label, value in reached.items() if label.partition("/")[0] == name)


class TestFitting:
    def test_takes_what_is_better_than_the_default(self, data, artefact):
        found = artefact.chosen["fitted_parameters"]["values"]
        default = train(data, OPTIONS, known=SelectedHyperparameters({}, "last", data.row_count))

        assert found
        for name in {parameter.partition(".")[0] for parameter in found}:
            assert best_of(name, artefact) > best_of(name, default)

    @pytest.mark.parametrize(
        ("best_at", "tried", "kept"),
        [
            (50.0, [150.0, 75.0, 600.0], 75.0),
            (160.0, [150.0, 75.0, 600.0], 150.0),
            (300.0, [150.0, 600.0], None),
            (5_000.0, [150.0, 600.0, 1_200.0], 1_200.0),
        ],
    )
    def test_goes_on_for_as_long_as_it_gets_better(self, data, monkeypatch, best_at, tried, kept):
        fold = make_fold(data, OPTIONS)
        run = parameter_search.HyperparameterSearch.on_fold(fold, OPTIONS, TimeBudget(0.0, lambda: 0.0), lambda: 0.0)
        seen: list[float] = []
        monkeypatch.setattr(
            parameter_search.HyperparameterSearch, "fit", lambda _self, algorithm: seen.append(algorithm.l2)
        )
        monkeypatch.setattr(
            parameter_search.HyperparameterSearch,
            "_ndcg",
            lambda *_: np.array([-abs(np.log(best_at / (seen or [300.0])[-1]))]),
        )
        run.fitted[0]["ease"] = EASE().fit(data, OPTIONS)

        run.fit_parameters("ease", lambda _: [])

        assert seen == tried
        assert run.parameters == ({"ease.l2": kept} if kept else {})

    def test_says_what_it_was_fitted_to(self, data, artefact):
        said = artefact.chosen["fitted_parameters"]

        assert (said["fold"], said["rows"]) == ("last", data.row_count)
        assert SelectedHyperparameters.from_chosen(artefact.chosen) is not None

    def test_leaves_alone_what_the_tenant_chose(self, data):
        found = train(data, replace(OPTIONS, parameters={"ease.l2": 77.0}))

        assert not [name for name in found.chosen["fitted_parameters"]["values"] if name.startswith("ease")]


class TestKnown:
    def test_are_taken_over_and_not_fitted_again(self, data, monkeypatch):
        seen = counting(monkeypatch)
        known = SelectedHyperparameters({"ease.l2": 1_000.0}, "last", data.row_count - 10)

        found = train(data, OPTIONS, known=known)

        assert seen == []
        assert found.chosen["fitted_parameters"] == {
            "values": {"ease.l2": 1_000.0},
            "fold": "last",
            "rows": data.row_count - 10,
        }

    @pytest.mark.parametrize(
        ("fold", "share"), [("time", 1.0), ("last", 0.5), ("last", 2.0)], ids=["another fold", "grown", "shrunk"]
    )
    def test_of_other_data_are_fitted_anew(self, data, monkeypatch, fold, share):
        seen = counting(monkeypatch)
        known = SelectedHyperparameters({"ease.l2": 1_000.0}, fold, int(share * data.row_count))

        found = train(data, OPTIONS, known=known)

        assert "ease" in seen
        assert found.chosen["fitted_parameters"]["rows"] == data.row_count

    def test_forget_parameters_that_there_are_no_more(self):
        said = {"values": {"ease.l2": 100.0, "gone.l2": 1.0}, "fold": "last", "rows": 5}

        found = SelectedHyperparameters.from_chosen({"fitted_parameters": said})

        assert found is not None
        assert found.values == {"ease.l2": 100.0}

    def test_of_an_older_training_are_none(self, data):
        assert SelectedHyperparameters.from_chosen({}) is None
        assert not SelectedHyperparameters({}, "time", data.row_count).is_valid_for(
            make_fold(data, OPTIONS), data.row_count
        )
