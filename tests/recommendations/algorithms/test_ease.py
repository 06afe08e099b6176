import numpy as np
import pytest

from recommendations.algorithms.ease import Ease
from recommendations.algorithms.options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, random_rows


@pytest.fixture(scope="module")
def data():
    return interactions(random_rows(people=60, items=50))


def by_definition(data, l2):
    dense = data.matrix().toarray().astype(np.float64)
    inverse = np.linalg.inv(dense.T @ dense + l2 * np.eye(data.item_count))
    weights = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(weights, 0)
    return weights


@pytest.mark.parametrize("max_dense_people", [1, 1_000], ids=["by items", "by people"])
@pytest.mark.parametrize("people", [20, 60], ids=["fewer people than items", "more people than items"])
def test_both_ways_equal_the_definition(people, max_dense_people):
    data = interactions(random_rows(people=people, items=50))
    expected = np.maximum(by_definition(data, 20.0), 0)

    found = Ease(l2=20.0).fit(data, TrainingOptions(max_dense_people=max_dense_people)).values.toarray()

    assert found / found.max() == pytest.approx(expected / expected.max(), abs=2e-3)


def test_pruning_keeps_the_largest_of_each_row(data):
    whole = Ease().fit(data, TrainingOptions()).values.toarray()

    pruned = Ease().fit(data, TrainingOptions(neighbours=5)).values.toarray()

    for row in range(data.item_count):
        assert (pruned[row] > 0).sum() <= 5
        assert np.sort(pruned[row])[-5:] == pytest.approx(np.sort(whole[row])[-5:], rel=2e-3)


def test_does_not_apply_above_the_limit(data):
    assert Ease().applies_to(data, TrainingOptions(max_dense_items=data.item_count))
    assert not Ease().applies_to(data, TrainingOptions(max_dense_items=data.item_count - 1))
