"""Weights of single events as arrays; apart from `event_weights`, which web processes load without numpy."""

import numpy as np
from numpy.typing import NDArray

from recommendations.interactions.event_weights import DEFAULT_WEIGHT, EventWeights

DAY_SECONDS = 86_400.0
_MAX_HALVINGS = 60.0


def event_strengths(
    weights: EventWeights,
    *,
    type_ids: NDArray[np.int64],
    values: NDArray[np.float32],
    times: NDArray[np.float64],
    as_of: float,
) -> NDArray[np.float32]:
    """The signed weight of each event after thresholds and decay.

    Args:
        weights: The tenant's weights.
        type_ids: (events,) Primary keys of event types.
        values: (events,) Values; nan if an event has none.
        times: (events,) Unix seconds.
        as_of: The Unix second from which ages count.
    """
    strengths = np.full(len(type_ids), DEFAULT_WEIGHT, dtype=np.float32)
    for event_type in weights.types:
        rows = np.flatnonzero(type_ids == event_type.type_id)
        if not len(rows):
            continue
        strengths[rows] = event_type.weight
        if event_type.negative_below is not None:
            low = rows[values[rows] < event_type.negative_below]
            strengths[low] = -abs(event_type.weight)
        if event_type.half_life_days is not None:
            # Bounded, so that an old event never counts as one without weight.
            age_days = (as_of - times[rows]) / DAY_SECONDS
            halvings = np.clip(age_days / event_type.half_life_days, 0.0, _MAX_HALVINGS)
            strengths[rows] *= np.exp2(-halvings).astype(np.float32)
    return strengths


def column_strengths(
    weights: EventWeights,
    type_positions: NDArray[np.int16],
    values: NDArray[np.float32],
    times: NDArray[np.float64],
    as_of: float,
) -> NDArray[np.float32]:
    """`event_strengths` of columns that `binary_copy` read, whose types are positions among the sorted type ids."""
    type_ids = np.array([*weights.type_ids, -1], dtype=np.int64)
    return event_strengths(weights, type_ids=type_ids[type_positions], values=values, times=times, as_of=as_of)


def type_names(weights: EventWeights) -> tuple[str, ...]:
    """Type names by position in such columns; the last, "", is for types that appeared after `weights` was read."""
    by_id = sorted(weights.types, key=lambda event_type: event_type.type_id)
    return (*(event_type.name for event_type in by_id), "")
