"""Neighbours by direction: worked by hand."""

import numpy as np

from recommendations.algorithms.data.topk import LARGEST_ENTRY
from recommendations.algorithms.models.embedding_knn import cosine_neighbours

# 0 and 1 point the same way, 2 lies at 60 degrees, 3 is opposite, 4 is nothing.
VECTORS = np.array([[1, 0], [3, 0], [0.5, np.sqrt(0.75)], [-1, 0], [0, 0]], dtype=np.float32)


def test_are_those_with_the_largest_cosine():
    found = cosine_neighbours(VECTORS, 10).toarray() / LARGEST_ENTRY

    expected = np.zeros((5, 5))
    expected[0, 1] = expected[1, 0] = 1.0
    expected[0, 2] = expected[2, 0] = expected[1, 2] = expected[2, 1] = 0.5
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_are_as_many_as_are_kept():
    assert cosine_neighbours(VECTORS, 1).toarray().astype(bool).sum(axis=1).tolist() == [1, 1, 1, 0, 0]
