import numpy as np
import pytest

from recommendations.algorithms.models.ease import EASE
from recommendations.algorithms.models.protocol import FactorMatrix
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, random_rows
from tests.recommendations.algorithms.suite import table


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
    expected = by_definition(data, 20.0)

    found = table(EASE(l2=20.0).fit(data, TrainingOptions(max_rank=1, max_dense_people=max_dense_people)))

    assert found / found.max() == pytest.approx(expected / expected.max(), abs=2e-3)


@pytest.mark.parametrize("stranger", [False, True], ids=["everybody has rows", "somebody has none"])
def test_few_people_leave_factors_that_equal_the_definition(stranger):
    data = interactions(random_rows(people=20, items=50), extra_users=["nobody"] if stranger else ())
    expected = by_definition(data, 20.0)

    found = EASE(l2=20.0).fit(data, TrainingOptions())

    assert isinstance(found, FactorMatrix)
    assert table(found) / table(found).max() == pytest.approx(expected / expected.max(), abs=3e-3)


def test_pruning_keeps_the_strongest_of_each_row_with_their_signs(data):
    whole = by_definition(data, 5.0)

    pruned = table(EASE(l2=5.0).fit(data, TrainingOptions(neighbours=5, max_rank=1)))

    assert (pruned < 0).any()
    scale = np.abs(pruned).max() / np.abs(whole).max()
    for row in range(data.item_count):
        kept = np.flatnonzero(pruned[row])
        assert len(kept) <= 5
        strongest = np.sort(np.abs(whole[row]))[-5:]
        assert np.sort(np.abs(pruned[row][kept])) == pytest.approx(strongest * scale, rel=2e-3)
        assert (np.sign(pruned[row][kept]) == np.sign(whole[row][kept])).all()


@pytest.mark.parametrize(
    "options",
    [TrainingOptions(max_dense_items=10, max_rank=1), TrainingOptions(max_entries=10 * 60)],
    ids=["pruned", "factors"],
)
def test_of_a_large_catalogue_the_most_chosen_items_take_part(options):
    data = interactions(random_rows(people=40, items=50))

    found = table(EASE().fit(data, options))

    takes_part = np.flatnonzero(np.abs(found).sum(axis=1))
    assert 0 < len(takes_part) <= 15
    others = np.setdiff1d(np.arange(data.item_count), takes_part)
    assert data.item_counts()[takes_part].min() >= data.item_counts()[others].max()
