"""Ratings that say that somebody did not like an item: how many there are, and how they count."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.tenancy import scope

RATING = "rating"
# Share of the highest rating; below it are 1 and 2 of 5 stars, 1 to 5 of 10.
_LOW_SHARE = 0.6
_COMMAND = f"manage.py event_types --tenant SLUG {RATING} --negative-below"


@dataclass(frozen=True, slots=True)
class LowRatings:
    """The number of ratings, and of those below `below`; `count_against` if that is the tenant's `negative_below`."""

    ratings: int
    low: int
    below: float
    count_against: bool

    def __str__(self) -> str:
        share = f"{100 * self.low / self.ratings:.0f} % of the ratings ({self.low:,} of {self.ratings:,})"
        if self.count_against:
            return f"{share} are below {self.below:g} and count against their items (negative_below)."
        return (
            f"{share} are below {self.below:g} and count as positive, like all others. To make them count against "
            f"their items: {_COMMAND} {self.below:g}, or negative_below in the admin under Event types."
        )

    def as_json(self) -> dict[str, Any]:
        """The four values, as the API shows them."""
        return {"ratings": self.ratings, "low": self.low, "below": self.below, "count_against": self.count_against}


def low_ratings(counts: Mapping[float, int], *, negative_below: float | None = None) -> LowRatings | None:
    """Counts the ratings below `negative_below`, or below what is low on their scale.

    Args:
        counts: The number of ratings by value.
        negative_below: The tenant's own threshold.

    Returns:
        None without ratings, or if their scale is unknown.
    """
    below = negative_below if negative_below is not None else low_of_scale(counts)
    if not counts or below is None:
        return None
    low = sum(count for value, count in counts.items() if value < below)
    return LowRatings(sum(counts.values()), low, below, negative_below is not None)


def low_of_scale(values: Mapping[float, int]) -> float | None:
    """The threshold below which a rating on the scale of these values is low; None for fewer than two values."""
    if len(values) < 2:
        return None
    lowest, highest = min(values), max(values)
    if lowest < 0:
        return 0.0
    if highest <= 1:
        return 1.0 if set(values) == {0.0, 1.0} else _LOW_SHARE
    cut = _LOW_SHARE * highest
    return float(math.ceil(cut - 1e-9)) if all(value == int(value) for value in values) else round(cut, 2)


_BELOW_OWN_MEAN = """
    SELECT rated.end_user_id, rated.item_id
    FROM (
        SELECT i.end_user_id, i.item_id, i.value, avg(i.value) OVER (PARTITION BY i.end_user_id) AS mean
        FROM recommendations_interaction AS i
        WHERE i.end_user_id = ANY (%(users)s) AND i.tenant_id + 0 = %(tenant)s AND i.value IS NOT NULL
            AND i.type_id = ANY (ARRAY(
                SELECT t.id FROM recommendations_eventtype AS t
                WHERE t.tenant_id = %(tenant)s AND t.name = %(rating)s))
    ) AS rated
    WHERE rated.value < rated.mean
"""
_NAMES = "SELECT id, item_id FROM recommendations_item WHERE tenant_id + 0 = %(tenant)s AND id = ANY (%(items)s)"


def rated_below_mean(*, tenant_id: int, user_pks: Collection[int]) -> dict[int, frozenset[str]]:
    """The items that each user rated below their own mean, by primary key; users without any are missing.

    They count as chosen, but no reason may claim that the user liked them.
    """
    parameters: dict[str, Any] = {"tenant": tenant_id, "users": list(user_pks), "rating": RATING}
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_BELOW_OWN_MEAN, parameters)
        rows = cursor.fetchall()
        if not rows:
            return {}
        cursor.execute(_NAMES, {"tenant": tenant_id, "items": list({item_pk for _, item_pk in rows})})
        names = dict(cursor.fetchall())
    items: dict[int, set[str]] = {}
    for user_pk, item_pk in rows:
        if item_pk in names:
            items.setdefault(user_pk, set()).add(names[item_pk])
    return {user_pk: frozenset(item_ids) for user_pk, item_ids in items.items()}
