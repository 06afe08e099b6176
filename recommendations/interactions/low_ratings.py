"""Ratings that say that somebody did not like an item: how many there are, and how they count."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RATING = "rating"
# Of the best rating; below it are 1 and 2 of 5 stars, 1 to 5 of 10.
_SHARE = 0.6
_HOW = f"manage.py event_types --tenant SLUG {RATING} --negative-below"


@dataclass(frozen=True, slots=True)
class LowRatings:
    """Of `ratings`, `low` are below `below`; `against` where that is the tenant's `negative_below`."""

    ratings: int
    low: int
    below: float
    against: bool

    def __str__(self) -> str:
        share = f"{100 * self.low / self.ratings:.0f} % of the ratings ({self.low:,} of {self.ratings:,})"
        if self.against:
            return f"{share} are below {self.below:g} and count against their items (negative_below)."
        return (
            f"{share} are below {self.below:g} and count as positive, like all others. To make them count against "
            f"their items: {_HOW} {self.below:g}, or negative_below in the admin under Event types."
        )

    def as_json(self) -> dict[str, Any]:
        """Return the four numbers."""
        return {"ratings": self.ratings, "low": self.low, "below": self.below, "count_against": self.against}


def low_ratings(counts: Mapping[float, int], *, negative_below: float | None = None) -> LowRatings | None:
    """Return how many of the ratings are low: below `negative_below`, else below what is low on their scale.

    `counts` say how often each value was given. None where there are none, or no scale can be told.
    """
    below = negative_below if negative_below is not None else low_of_scale(counts)
    if not counts or below is None:
        return None
    low = sum(count for value, count in counts.items() if value < below)
    return LowRatings(sum(counts.values()), low, below, negative_below is not None)


def low_of_scale(values: Mapping[float, int]) -> float | None:
    """The rating below which one is low on the scale that these values are of; None for fewer than two values."""
    if len(values) < 2:
        return None
    lowest, highest = min(values), max(values)
    if lowest < 0:
        return 0.0
    if highest <= 1:
        return 1.0 if set(values) == {0.0, 1.0} else _SHARE
    cut = _SHARE * highest
    return float(math.ceil(cut - 1e-9)) if all(value == int(value) for value in values) else round(cut, 2)
