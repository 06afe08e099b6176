"""Users as scoring sees them: their row and their history."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.tenancy import scope
from recommendations.algorithms.data.history import History
from recommendations.interactions import event_weights
from recommendations.interactions.low_ratings import RATING, rated_below_mean
from recommendations.interactions.user_histories import HistoryColumns, UserHistory, load_histories
from recommendations.pipeline.artefacts.store import Loaded
from recommendations.pipeline.lists.item_facts import parsed_object

# Statements of our own: near line reads few users, and the ORM took longer than PostgreSQL.
_USERS = """
    SELECT id, user_id, locale, xmin::text::bigint, attributes, segments FROM recommendations_enduser
    WHERE tenant_id = %(tenant)s AND {condition} ORDER BY id
"""
_RANGE = _USERS.format(condition="id BETWEEN %(first)s AND %(last)s")
_BY_KEY = _USERS.format(condition="id = ANY (%(pks)s)")
_BY_NAME = _USERS.format(condition="user_id = %(user)s")
_DIRTY = _USERS.format(condition="id = ANY (%(pks)s) AND dirty_at IS NOT NULL")


@dataclass(frozen=True, slots=True)
class UserProfile:
    """A user as scoring sees them.

    Attributes:
        version: Of the user's row (PostgreSQL's xmin): every event changes it.
        events: (item id, Unix second) of the items that the user chose, oldest first.
        weights: The weight of each event, by its type.
        values: (type, value) of each event; the value is nan if it has none.
        rated_below_mean: Items among the events that the user rated below their own mean.
        negative_events: (item id, Unix second, weight below 0) of the items that the user rejected.
        columns: The same events as arrays, where many users were read together.
    """

    pk: int
    user_id: str
    locale: str
    version: int
    events: tuple[tuple[str, float], ...] = ()
    rated_below_mean: frozenset[str] = frozenset()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[float, ...] = ()
    values: tuple[tuple[str, float], ...] = field(default=(), compare=False)
    negative_events: tuple[tuple[str, float, float], ...] = ()
    segments: tuple[str, ...] = ()
    columns: HistoryColumns | None = field(default=None, compare=False, repr=False)

    def history_in(self, loaded: Loaded) -> History:
        """The user's history as the artefact's recommender reads it."""
        if self.columns is not None:
            return loaded.history_of(self.columns)
        return loaded.history(self.events, self.weights, self.negative_events, self.values)


def read_range(*, tenant_id: int, first: int, last: int) -> list[UserProfile]:
    """The tenant's users with primary keys from `first` to `last`."""
    return _read(tenant_id, _RANGE, {"first": first, "last": last})


def read_users(
    *, tenant_id: int, pks: Collection[int], untils: Mapping[int, datetime] | None = None
) -> list[UserProfile]:
    """Those of these users that exist; with `untils` only with the events that had arrived by that time."""
    return _read(tenant_id, _BY_KEY, {"pks": list(pks)}, untils)


def read_user(*, tenant_id: int, user_id: str) -> UserProfile | None:
    """One user; None if it does not exist."""
    return next(iter(_read(tenant_id, _BY_NAME, {"user": user_id})), None)


def read_dirty(*, tenant_id: int, pks: Collection[int]) -> list[UserProfile]:
    """Those of the users that are marked for near line."""
    return _read(tenant_id, _DIRTY, {"pks": list(pks)})


def _read(
    tenant_id: int,
    statement: str,
    parameters: Mapping[str, Any],
    untils: Mapping[int, datetime] | None = None,
) -> list[UserProfile]:
    with scope.tenant(tenant_id):
        with connection.cursor() as cursor:
            cursor.execute(statement, {"tenant": tenant_id, **parameters})
            rows = cursor.fetchall()
        if not rows:
            return []
        pks = [pk for pk, *_ in rows]
        weights = event_weights.load_event_weights(tenant_id=tenant_id)
        # In statements of their own, after the rows: an event that arrives in between is in the history, and its change
        # of the row keeps the mark, which costs a second scoring and no more.
        history_by_user = load_histories(tenant_id=tenant_id, user_pks=pks, untils=untils, weights=weights)
        rated = any(each.name == RATING for each in weights.types)
        low_by_user = rated_below_mean(tenant_id=tenant_id, user_pks=pks) if rated else {}
    return [
        _with_history(
            UserProfile(
                pk,
                user_id,
                locale,
                version,
                rated_below_mean=low_by_user.get(pk, frozenset()),
                attributes=parsed_object(attributes),
                segments=tuple(segments),
            ),
            history_by_user.get(pk),
        )
        for pk, user_id, locale, version, attributes, segments in rows
    ]


def _with_history(profile: UserProfile, history: UserHistory | None) -> UserProfile:
    if history is None:
        return profile
    if not history.weights or min(history.weights) > 0:
        return replace(
            profile,
            events=tuple(zip(history.item_ids, history.times, strict=True)),
            weights=tuple(history.weights),
            values=tuple(history.typed_values),
            columns=history.columns,
        )
    rows = list(zip(history.item_ids, history.times, history.weights, strict=True))
    return replace(
        profile,
        events=tuple((item_id, at) for item_id, at, weight in rows if weight > 0),
        weights=tuple(weight for *_, weight in rows if weight > 0),
        values=tuple(value for value, weight in zip(history.typed_values, history.weights, strict=True) if weight > 0),
        negative_events=tuple(row for row in rows if row[2] < 0),
        columns=history.columns,
    )
