"""People by how much is known about them, since a mean over all hides who is served badly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.evaluation.bootstrap import interval

# Name, and the number of known rows from which on a person belongs to it.
SEGMENTS = (("cold", 0), ("sparse", 5), ("regular", 20), ("heavy", 100))


def by_segment(known: Sequence[int], values: dict[str, NDArray[np.float64]]) -> dict[str, dict[str, Any]]:
    """Return each segment's number of people, means, and the interval of NDCG@10; empty segments are left out."""
    rows = np.array(known, dtype=np.int64)
    bounds = [*(bound for _, bound in SEGMENTS), np.inf]
    found: dict[str, dict[str, Any]] = {}
    for (name, low), high in zip(SEGMENTS, bounds[1:], strict=True):
        chosen = (rows >= low) & (rows < high)
        if chosen.any():
            spread = interval(values["ndcg@10"][chosen])
            found[name] = {
                "people": int(chosen.sum()),
                **{metric: float(each[chosen].mean()) for metric, each in values.items()},
                "ndcg@10_ci": [spread.low, spread.high],
            }
    return found
