"""Choices that differ from the defaults reach the algorithms."""

import numpy as np
import pytest

from recommendations.algorithms.models.registry import ALGORITHMS
from recommendations.algorithms.training.hyperparameters import (
    PARAMETERS,
    UnknownParameter,
    configured_algorithms,
    validate_parameters,
    with_parameters,
)
from recommendations.algorithms.training.train import train
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, tastes

OPTIONS = TrainingOptions(threads=1)


def of(name, parameters):
    return next(each for each in configured_algorithms(with_parameters(OPTIONS, parameters)) if each.name == name)


class TestParameters:
    @pytest.mark.parametrize("name", PARAMETERS)
    def test_have_their_default_among_the_values_that_are_tried(self, name):
        parameter = PARAMETERS[name]

        assert parameter.default in parameter.values
        assert list(parameter.values) == sorted(set(parameter.values))
        assert [parameter.validate(value) for value in parameter.values] == list(parameter.values)

    def test_that_are_not_named_are_the_defaults(self):
        assert configured_algorithms(OPTIONS) == list(ALGORITHMS.values())
        assert validate_parameters({"ease.l2": 300, "half_lives": 1}) == {}

    def test_reach_the_algorithm_and_keep_its_name(self):
        assert of("ease", {"ease.l2": 500}).l2 == 500.0
        assert of("als", {"als.factors": "48"}).factors == 48
        assert [each.name for each in configured_algorithms(with_parameters(OPTIONS, {"co_occurrence.window": 3}))] == [
            *ALGORITHMS
        ]
        assert with_parameters(OPTIONS, {"l1": 0.01}).l1 == 0.01
        assert with_parameters(with_parameters(OPTIONS, {"l1": 0.01}), {}).l1 == OPTIONS.l1

    def test_half_lives_are_stretched_and_no_fading_stays(self):
        assert of("ease", {"half_lives": 2}).half_lives == (4.0, 10.0, 24.0, np.inf)

    @pytest.mark.parametrize(
        ("parameters", "expected"),
        [
            ({"ease.l3": 1}, "no parameter 'ease.l3': choose from half_lives, ease.l2"),
            ({"ease.l2": "much"}, "ease.l2 must be a number, not 'much'"),
            ({"ease.l2": 0}, "ease.l2 must be a number from 3 to 30000"),
            ({"ease.l2": float("nan")}, "ease.l2 must be a number from"),
            ({"als.factors": 0.5}, "als.factors must be a whole number from"),
            ({"als.factors": 10**9}, "als.factors must be a whole number from"),
        ],
    )
    def test_that_are_nonsense_are_refused_by_name(self, parameters, expected):
        with pytest.raises(UnknownParameter, match=expected):
            validate_parameters(parameters)

    def test_a_training_uses_them_and_says_so(self):
        data = interactions(tastes(people=60))

        plain, other = train(data, OPTIONS), train(data, with_parameters(OPTIONS, {"ease.l2": 3_000}))

        assert "parameters" not in plain.chosen
        assert other.chosen["parameters"] == {"ease.l2": 3_000.0}
        assert plain.chosen["validation_ndcg@10"]["ease/inf"] != other.chosen["validation_ndcg@10"]["ease/inf"]
