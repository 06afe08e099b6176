"""Lists of active snapshots: read, and replaced by their next versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from accounts.tenancy import scope
from recommendations.cache.list_codec import StoredList, decode_or_none
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.ranking import variants
from recommendations.pipeline.ranking.variants import PlacementSettings

_ACTIVE = f"""
    SELECT placement.id, placement.name, build.id, artefact.id, artefact.file, version.rules::text,
        {variants.RUNS_EXPERIMENT.format("placement.id")}
    FROM recommendations_placement AS placement
    JOIN recommendations_build AS build ON build.id = placement.active_build_id
    JOIN recommendations_artefact AS artefact ON artefact.id = build.artefact_id
    LEFT JOIN recommendations_placementversion AS version
        ON version.id = (build.versions ->> placement.id::text)::bigint AND version.tenant_id = placement.tenant_id
    WHERE placement.tenant_id = %(tenant)s ORDER BY placement.id
"""  # noqa: S608  # constants only
_READ = """
    SELECT placement_id, end_user_id, version, body FROM recommendations_userlist
    WHERE tenant_id = %(tenant)s AND build_id = %(build)s AND placement_id = ANY (%(placements)s)
        AND end_user_id = ANY (%(users)s)
"""
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
    """An active build with its artefact, and the placements that serve from it: names by primary key, and settings."""

    tenant_id: int
    build_id: int
    artefact_id: int
    file: str
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
                placements={row[0]: row[1] for row in own},
                settings=variants.settings_of(tenant_id=tenant_id, rows=[(row[0], row[5], row[6]) for row in own]),
            )
            for build_id, own in by_build.items()
        ]


def read_lists(snapshot: Snapshot, pks: Sequence[int]) -> dict[ListKey, tuple[int, StoredList | None]]:
    """Versions and lists of users; None for a list that cannot be decoded."""
    parameters = {
        "tenant": snapshot.tenant_id,
        "build": snapshot.build_id,
        "placements": list(snapshot.placements),
        "users": list(pks),
    }
    with scope.tenant(snapshot.tenant_id), connection.cursor() as cursor:
        cursor.execute(_READ, parameters)
        rows = cursor.fetchall()
    return {ListKey(placement, user): (version, decode_or_none(body)) for placement, user, version, body in rows}


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
