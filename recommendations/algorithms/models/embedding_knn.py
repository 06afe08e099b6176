"""Exact cosine kNN of dense vectors, such as embeddings of texts or pictures."""

from __future__ import annotations

import numpy as np

from recommendations.algorithms.data.dataset import FloatArray, Matrix
from recommendations.algorithms.data.topk import pruned_product


def cosine_neighbours(vectors: FloatArray, keep: int) -> Matrix:
    """Return the `keep` largest positive cosines of each row with the others, in stored form.

    cos(a, b) = a . b / (|a| |b|). Rows of zeros have no neighbours.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.where(lengths > 0, vectors / np.maximum(lengths, 1e-12), 0.0).astype(np.float32)
    return pruned_product(unit, np.ascontiguousarray(unit.T), keep)
