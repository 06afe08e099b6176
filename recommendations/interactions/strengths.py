"""What each event of a training window says, as numbers. Apart from the meaning, which web processes read as well."""

import numpy as np
from numpy.typing import NDArray

from recommendations.interactions.event_weights import UNMAPPED, Meaning

DAY_SECONDS = 86_400.0


def strengths(
    meaning: Meaning,
    *,
    type_ids: NDArray[np.int64],
    values: NDArray[np.float32],
    times: NDArray[np.float64],
    as_of: float,
) -> NDArray[np.float32]:
    """What each event says; `values` are nan where there is none, and ages count from `as_of`, in Unix seconds."""
    said = np.full(len(type_ids), UNMAPPED, dtype=np.float32)
    for each in meaning.types:
        rows = np.flatnonzero(type_ids == each.type_id)
        if not len(rows):
            continue
        said[rows] = each.weight
        if each.negative_below is not None:
            low = rows[values[rows] < each.negative_below]
            said[low] = -abs(each.weight)
        if each.half_life_days is not None:
            # Never quite nothing: below that it would count as an event that says nothing.
            halvings = np.clip((as_of - times[rows]) / (each.half_life_days * DAY_SECONDS), 0.0, 60.0)
            said[rows] *= np.exp2(-halvings).astype(np.float32)
    return said
