"""Users by how much is known about them, since an overall mean hides badly served groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommendations.algorithms.metrics.bootstrap import bootstrap_interval
from recommendations.history_segments import SEGMENTS, segment_of


def summarise_by_segment(known: Sequence[int], values: dict[str, NDArray[np.float64]]) -> dict[str, dict[str, Any]]:
    """Return each segment's number of users, means, and the interval of NDCG@10; empty segments are left out."""
    segments = np.array([segment_of(rows) for rows in known])
    summary: dict[str, dict[str, Any]] = {}
    for name in SEGMENTS:
        chosen = segments == name
        if chosen.any():
            interval = bootstrap_interval(values["ndcg@10"][chosen])
            summary[name] = {
                "people": int(chosen.sum()),
                **{metric: float(each[chosen].mean()) for metric, each in values.items()},
                "ndcg@10_ci": [interval.low, interval.high],
            }
    return summary
