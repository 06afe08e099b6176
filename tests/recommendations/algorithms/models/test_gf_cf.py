import numpy as np
import pytest

from recommendations.algorithms.models.gf_cf import GFCF
from recommendations.algorithms.training_options import TrainingOptions
from tests.recommendations.algorithms.generated import interactions, random_rows
from tests.recommendations.algorithms.suite import table

# Two groups of users who chose everything of their group: the two leading vectors are the groups themselves.
BLOCKS = interactions(
    [(f"u{user}", f"a{item}", 0.0) for user in range(5) for item in range(3)]
    + [(f"v{user}", f"b{item}", 0.0) for user in range(4) for item in range(2)]
)


@pytest.mark.parametrize("max_dense_people", [1, 1_000], ids=["iterative", "dense"])
class TestGraphFilter:
    def test_spreads_evenly_within_complete_groups(self, max_dense_people):
        options = TrainingOptions(max_dense_people=max_dense_people)

        found = table(GFCF(rank=2).fit(BLOCKS, options))

        third, half = np.full((3, 3), 1 / 3), np.full((2, 2), 1 / 2)
        expected = np.block([[third, np.zeros((3, 2))], [np.zeros((2, 3)), half]])
        np.fill_diagonal(expected, 0)
        assert found / found.max() == pytest.approx(expected * 2, abs=1e-3)

    def test_equals_the_singular_value_decomposition(self, max_dense_people):
        data = interactions(random_rows(people=25, items=20))
        dense = data.matrix().toarray().astype(np.float64)
        degrees = dense.sum(axis=0)
        normalised = dense / np.sqrt(dense.sum(axis=1))[:, None] / np.sqrt(degrees)[None, :]
        _, _, vectors = np.linalg.svd(normalised)
        expected = vectors[:4].T @ vectors[:4] * np.sqrt(degrees)[None, :] / np.sqrt(degrees)[:, None]
        np.fill_diagonal(expected, 0)

        found = GFCF(rank=4).fit(data, TrainingOptions(max_dense_people=max_dense_people))

        dense_found = table(found)
        assert dense_found / dense_found.max() == pytest.approx(expected / expected.max(), abs=2e-3)


def test_does_not_apply_to_two_people():
    data = interactions([("a", "x", 0.0), ("b", "y", 0.0), ("b", "z", 0.0)])

    assert not GFCF().applies_to(data, TrainingOptions())
