"""The people whose lists are made, with their histories, and the dirty marks that the lists settle.

A dirty mark is settled by a list that was made from a history read after the mark. Whether news came since that
reading is told by the version of the person's row (PostgreSQL's xmin): every event changes the row in its own
transaction. So no clocks are compared, and no event is lost between a reading and its effect. A worker claims people
before it reads, by a mark in the future: of two workers one makes a person's list.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import BigIntegerField
from django.db.models.expressions import RawSQL

from accounts.tenancy import scope
from recommendations.catalog.models import EndUser
from recommendations.interactions.low_ratings import rated_below_mean
from recommendations.interactions.user_histories import UserHistory, load_histories

# A claimed mark lies this far in the future, and may be claimed again in the second half of the time: clocks that
# differ by less take no mark for a claim.
CLAIM_SECONDS = 60
# The asked-for people are waited for where a transaction with new events holds them: it has not asked for them again.
_CLAIM = """
    WITH serving AS (
        SELECT 1 FROM recommendations_placement AS place
        JOIN recommendations_build AS build ON build.id = place.active_build_id
        WHERE place.tenant_id = %(tenant)s AND build.artefact_id IS NOT NULL
    ), own AS (
        SELECT id FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND id = ANY (%(pks)s)
          AND dirty_at <= statement_timestamp() + make_interval(secs => %(claim)s / 2.0)
          AND EXISTS (SELECT FROM serving)
        ORDER BY id FOR NO KEY UPDATE
    ), others AS (
        SELECT id FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND id <> ALL (%(pks)s)
          AND dirty_at <= statement_timestamp() - make_interval(secs => %(waited)s)
          AND EXISTS (SELECT FROM serving)
        ORDER BY dirty_at LIMIT %(room)s FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE recommendations_enduser AS person SET dirty_at = statement_timestamp() + make_interval(secs => %(claim)s)
    FROM (SELECT id FROM own UNION ALL SELECT id FROM others) AS taken WHERE person.id = taken.id
    RETURNING person.id
"""
_WAITING = """
    SELECT EXISTS (
        SELECT FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND dirty_at <= statement_timestamp() - make_interval(secs => %(waited)s)
    ) AND EXISTS (
        SELECT FROM recommendations_placement AS place
        JOIN recommendations_build AS build ON build.id = place.active_build_id
        WHERE place.tenant_id = %(tenant)s AND build.artefact_id IS NOT NULL
    )
"""
_RELEASE = """
    UPDATE recommendations_enduser SET dirty_at = statement_timestamp()
    WHERE tenant_id = %(tenant)s AND id = ANY (%(pks)s) AND dirty_at > statement_timestamp()
"""
# Rows that a transaction with new events holds are skipped: their mark is about to be renewed.
_SETTLE = """
    WITH idle AS (
        SELECT id FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND id = ANY (%(pks)s) AND dirty_at IS NOT NULL
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE recommendations_enduser AS person SET dirty_at = NULL
    FROM idle, unnest(%(pks)s::bigint[], %(versions)s::bigint[]) AS seen (id, version)
    WHERE person.id = idle.id AND seen.id = idle.id AND person.xmin::text::bigint = seen.version
    RETURNING person.id
"""


@dataclass(frozen=True, slots=True)
class Person:
    """An end user as scoring sees them.

    `events` are (item id, unix second) of what they chose, oldest first, `weights` what each says by its type, and
    `said` its type and value (nan for none); `lukewarm` items are among them, and were not liked. `against` are (item
    id, unix second, weight below 0) of what they turned down.
    """

    pk: int
    user_id: str
    locale: str
    version: int
    events: tuple[tuple[str, float], ...] = ()
    lukewarm: frozenset[str] = frozenset()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[float, ...] = ()
    said: tuple[tuple[str, float], ...] = field(default=(), compare=False)
    against: tuple[tuple[str, float, float], ...] = ()
    segments: tuple[str, ...] = ()


def read_range(*, tenant_id: int, first: int, last: int) -> list[Person]:
    """The tenant's people with primary keys from `first` to `last`, with their histories."""
    return _read(tenant_id, {"pk__range": (first, last)})


def read(*, tenant_id: int, pks: Collection[int], untils: Mapping[int, datetime] | None = None) -> list[Person]:
    """These people, as far as they are there, with their histories; of `untils`, as these had arrived by then."""
    return _read(tenant_id, {"pk__in": pks}, untils)


def read_named(*, tenant_id: int, user_id: str) -> Person | None:
    """One person with their history; None for somebody unknown."""
    return next(iter(_read(tenant_id, {"user_id": user_id})), None)


def read_dirty(*, tenant_id: int, pks: Collection[int]) -> list[Person]:
    """Those of the people who wait for near line, with their histories."""
    return _read(tenant_id, {"pk__in": pks, "dirty_at__isnull": False})


def claim(*, tenant_id: int, pks: Collection[int], together: int, waited: float) -> list[int]:
    """Takes those of the people who wait and whom nobody else makes lists for, until they are settled or released.

    Others who have waited so many seconds come along, the longest first, up to `together` in all: many people at once
    cost little more than one. Nobody is taken without a build that serves.
    """
    parameters: dict[str, Any] = {
        "tenant": tenant_id,
        "pks": list(pks),
        "claim": CLAIM_SECONDS,
        "waited": waited,
        "room": max(0, together - len(pks)),
    }
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_CLAIM, parameters)
        return [pk for (pk,) in cursor.fetchall()]


def are_waiting(*, tenant_id: int, waited: float) -> bool:
    """Say whether somebody whom `claim` would take has waited for so many seconds."""
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_WAITING, {"tenant": tenant_id, "waited": waited})
        return bool(cursor.fetchone()[0])


def release(*, tenant_id: int, pks: Collection[int]) -> None:
    """Gives claimed people back, waiting."""
    if pks:
        with scope.tenant(tenant_id), connection.cursor() as cursor:
            cursor.execute(_RELEASE, {"tenant": tenant_id, "pks": list(pks)})


def settle(*, tenant_id: int, versions: Mapping[int, int]) -> set[int]:
    """Takes away the dirty marks of people (pk -> version read) without news since. Call it in the tenant's scope.

    Returns whose it took; the others keep theirs.
    """
    if not versions:
        return set()
    parameters: dict[str, Any] = {"tenant": tenant_id, "pks": list(versions), "versions": list(versions.values())}
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, parameters)
        return {pk for (pk,) in cursor.fetchall()}


def _read(tenant_id: int, which: Mapping[str, object], untils: Mapping[int, datetime] | None = None) -> list[Person]:
    version = RawSQL('"recommendations_enduser"."xmin"::text::bigint', [], output_field=BigIntegerField())
    with scope.tenant(tenant_id):
        rows: Sequence[tuple[int, str, str, int, dict[str, Any], list[str]]] = list(
            EndUser.objects.filter(tenant_id=tenant_id, **which)
            .order_by("pk")
            .annotate(version=version)
            .values_list("pk", "user_id", "locale", "version", "attributes", "segments")
        )
        # In a statement of its own, after the rows: an event that comes in between is in the history, and its change
        # of the row keeps the mark, which costs a second scoring and no more.
        found = load_histories(tenant_id=tenant_id, user_pks=[pk for pk, *_ in rows], untils=untils)
        disliked = rated_below_mean(tenant_id=tenant_id, user_pks=[pk for pk, *_ in rows])
    return [
        _person(
            Person(
                pk,
                user_id,
                locale,
                row_version,
                lukewarm=disliked.get(pk, frozenset()),
                attributes=attributes,
                segments=tuple(segments),
            ),
            found.get(pk),
        )
        for pk, user_id, locale, row_version, attributes, segments in rows
    ]


def _person(person: Person, history: UserHistory | None) -> Person:
    if history is None:
        return person
    rows = list(zip(history.item_ids, history.times, history.weights, strict=True))
    return replace(
        person,
        events=tuple((item_id, at) for item_id, at, weight in rows if weight > 0),
        weights=tuple(weight for *_, weight in rows if weight > 0),
        said=tuple(each for each, weight in zip(history.typed_values, history.weights, strict=True) if weight > 0),
        against=tuple(row for row in rows if row[2] < 0),
    )
