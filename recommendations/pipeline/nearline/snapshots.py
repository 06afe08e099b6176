"""Lists of active snapshots: read, and replaced by their next versions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from accounts.tenancy import scope
from recommendations.cache.list_codec import StoredList, decode_or_none
from recommendations.catalog import availability
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.ranking import variants
from recommendations.pipeline.ranking.variants import PlacementSettings

_ACTIVE = f"""
    SELECT placement.id, placement.name, build.id, artefact.id, artefact.file, version.rules::text,
        {variants.RUNS_EXPERIMENT.format("placement.id")},
        (SELECT max(revision) FROM recommendations_freshitem AS fresh
         WHERE fresh.tenant_id = %(tenant)s AND fresh.build_id = build.id AND fresh.place IS NOT NULL)
    FROM recommendations_placement AS placement
    JOIN recommendations_build AS build ON build.id = placement.active_build_id
    JOIN recommendations_artefact AS artefact ON artefact.id = build.artefact_id
    LEFT JOIN recommendations_placementversion AS version
        ON version.id = (build.versions ->> placement.id::text)::bigint AND version.tenant_id = placement.tenant_id
    WHERE placement.tenant_id = %(tenant)s ORDER BY placement.id
"""  # noqa: S608  # constants only
# The moment and the withdrawn items in the first row, then the users' lists: one statement, since each costs a
# near-line update of one user as much as a tenth of the scoring.
_READ = f"""
    SELECT clock_timestamp(), (
        SELECT jsonb_agg(item_id) FROM recommendations_item
        WHERE tenant_id = %(tenant)s AND {availability.WITHDRAWN_SQL.format("clock_timestamp()")}
    )::text, NULL::bigint, NULL::bigint, NULL::integer, NULL::bytea
    UNION ALL
    SELECT NULL, NULL, stored.placement_id, stored.end_user_id, stored.version, stored.body
    FROM unnest(%(builds)s::bigint[], %(placements)s::bigint[]) AS wanted (build_id, placement_id)
    JOIN recommendations_userlist AS stored
        ON stored.build_id = wanted.build_id AND stored.placement_id = wanted.placement_id
    WHERE stored.tenant_id = %(tenant)s AND stored.end_user_id = ANY (%(users)s)
"""  # noqa: S608  # constants only
# Writes the version that follows the one that was read; the first writer wins. A placement that a publish holds is
# waited for, and then serves from another build.
_WRITE = """
    WITH serving AS (
        SELECT id, active_build_id FROM recommendations_placement
        WHERE tenant_id = %(tenant)s AND id = ANY (%(placements)s) ORDER BY id FOR SHARE
    )
    INSERT INTO recommendations_userlist AS stored
        (tenant_id, build_id, placement_id, end_user_id, version, source, arm, body, generated_at, person_version)
    SELECT %(tenant)s, row.build_id, row.placement_id, row.end_user_id, row.version, row.source, row.arm, row.body,
        %(now)s, NULL
    FROM unnest(
        %(builds)s::bigint[], %(placements)s::bigint[], %(users)s::bigint[], %(versions)s::integer[],
        %(sources)s::text[], %(arms)s::text[], %(bodies)s::bytea[]
    ) AS row (build_id, placement_id, end_user_id, version, source, arm, body)
    JOIN serving ON serving.id = row.placement_id AND serving.active_build_id = row.build_id
    ORDER BY row.placement_id, row.end_user_id
    ON CONFLICT (build_id, placement_id, end_user_id) DO UPDATE SET
        version = excluded.version, source = excluded.source, arm = excluded.arm, body = excluded.body,
        generated_at = excluded.generated_at, person_version = NULL
    WHERE stored.version = excluded.version - 1
    RETURNING placement_id, end_user_id
"""


class ListKey(NamedTuple):
    """A user's list at a placement: primary keys of both."""

    placement_id: int
    user_pk: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An active build with its artefact, and the placements that serve from it: names by primary key, and settings.

    `revision` is that of its newest fresh item, 0 without any.
    """

    tenant_id: int
    build_id: int
    artefact_id: int
    file: str
    revision: int
    placements: Mapping[int, str]
    settings: PlacementSettings


@dataclass(frozen=True, slots=True)
class NewList:
    """The next version of a user's list, with its stored form."""

    build_id: int
    draft: Draft
    version: int
    body: bytes


def active_snapshots(*, tenant_id: int) -> list[Snapshot]:
    """The snapshots that are served from, without those whose artefact is gone."""
    with scope.tenant(tenant_id):
        with connection.cursor() as cursor:
            cursor.execute(_ACTIVE, {"tenant": tenant_id, "assigning": variants.ASSIGNING})
            rows = cursor.fetchall()
        by_build: dict[int, list[Any]] = {}
        for row in rows:
            by_build.setdefault(row[2], []).append(row)
        return [
            Snapshot(
                tenant_id,
                build_id,
                artefact_id=own[0][3],
                file=own[0][4],
                revision=own[0][7] or 0,
                placements={row[0]: row[1] for row in own},
                settings=variants.settings_of(tenant_id=tenant_id, rows=[(row[0], row[5], row[6]) for row in own]),
            )
            for build_id, own in by_build.items()
        ]


@dataclass(frozen=True, slots=True)
class StoredLists:
    """Versions and lists of users, None for one that cannot be decoded, and the items that are withdrawn at `now`."""

    now: datetime
    withdrawn: Sequence[str]
    lists: Mapping[ListKey, tuple[int, StoredList | None]]


def read_lists(snapshots: Sequence[Snapshot], pks: Sequence[int]) -> StoredLists:
    """The users' present lists in these snapshots of one tenant. Call it in the tenant's scope."""
    pairs = [(each.build_id, placement_id) for each in snapshots for placement_id in each.placements]
    parameters: dict[str, Any] = {
        "tenant": snapshots[0].tenant_id,
        "builds": [build_id for build_id, _ in pairs],
        "placements": [placement_id for _, placement_id in pairs],
        "users": list(pks),
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ, parameters)
        rows = cursor.fetchall()
    ((now, withdrawn),) = [row[:2] for row in rows if row[0] is not None]
    lists = {
        ListKey(placement_id, user): (version, decode_or_none(body))
        for moment, _, placement_id, user, version, body in rows
        if moment is None
    }
    return StoredLists(now, json.loads(withdrawn) if withdrawn else [], lists)


def write_lists(tenant_id: int, lists: Mapping[ListKey, NewList], now: datetime) -> set[ListKey]:
    """Writes the lists of snapshots that are still active; returns the keys of those that were written."""
    if not lists:
        return set()
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "tenant": tenant_id,
                "now": now,
                "builds": [each.build_id for each in lists.values()],
                "placements": [key.placement_id for key in lists],
                "users": [key.user_pk for key in lists],
                "versions": [each.version for each in lists.values()],
                "sources": [each.draft.source for each in lists.values()],
                "arms": [each.draft.arm for each in lists.values()],
                "bodies": [each.body for each in lists.values()],
            },
        )
        return {ListKey(*row) for row in cursor.fetchall()}
