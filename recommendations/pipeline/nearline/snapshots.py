"""Lists of active snapshots: read, and replaced by their next versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from accounts.tenancy import scope
from recommendations.cache.list_codec import StoredList, decode_or_none
from recommendations.pipeline.lists.entries import Draft
from recommendations.pipeline.models import UserList
from recommendations.placements.models import Placement

# Writes the version that follows the one that was read; the first writer wins.
_WRITE = """
    INSERT INTO recommendations_userlist AS stored
        (tenant_id, build_id, placement_id, end_user_id, version, source, arm, body, generated_at, person_version)
    SELECT %(tenant)s, %(build)s, %(placement)s, row.*, %(now)s, NULL
    FROM unnest(
        %(users)s::bigint[], %(versions)s::integer[], %(sources)s::text[], %(arms)s::text[], %(bodies)s::bytea[]
    ) AS row
    ORDER BY 1
    ON CONFLICT (build_id, placement_id, end_user_id) DO UPDATE SET
        version = excluded.version, source = excluded.source, arm = excluded.arm, body = excluded.body,
        generated_at = excluded.generated_at, person_version = NULL
    WHERE stored.version = excluded.version - 1
    RETURNING end_user_id
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The active build of a placement and its artefact."""

    tenant_id: int
    placement_id: int
    placement: str
    build_id: int
    artefact_id: int
    file: str
    versions: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class NewList:
    """The next version of a user's list, with its stored form."""

    draft: Draft
    version: int
    body: bytes


def active_snapshots(*, tenant_id: int) -> list[Snapshot]:
    """The snapshots that are served from, without those whose artefact is gone."""
    with scope.tenant(tenant_id):
        placements = Placement.objects.filter(tenant_id=tenant_id, active_build__artefact__isnull=False).order_by("pk")
        rows = placements.values_list(
            "tenant_id",
            "pk",
            "name",
            "active_build",
            "active_build__artefact",
            "active_build__artefact__file",
            "active_build__versions",
        )
        return [Snapshot(*row) for row in rows]


def read_lists(snapshot: Snapshot, pks: Sequence[int]) -> dict[int, tuple[int, StoredList | None]]:
    """Version and list by user; None for a list that cannot be decoded."""
    with scope.tenant(snapshot.tenant_id):
        rows = UserList.objects.filter(
            tenant_id=snapshot.tenant_id,
            build_id=snapshot.build_id,
            placement_id=snapshot.placement_id,
            end_user_id__in=pks,
        )
        bodies = list(rows.values_list("end_user_id", "version", "body"))
    return {pk: (version, decode_or_none(body)) for pk, version, body in bodies}


def write_lists(snapshot: Snapshot, lists: Mapping[int, NewList], now: datetime) -> set[int]:
    """Writes the lists if the snapshot is still active; returns the users whose lists were written."""
    with scope.tenant(snapshot.tenant_id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT active_build_id FROM recommendations_placement WHERE tenant_id = %s AND id = %s FOR SHARE",
            [snapshot.tenant_id, snapshot.placement_id],
        )
        row = cursor.fetchone()
        if row is None or row[0] != snapshot.build_id:
            return set()
        cursor.execute(
            _WRITE,
            {
                "tenant": snapshot.tenant_id,
                "build": snapshot.build_id,
                "placement": snapshot.placement_id,
                "now": now,
                "users": list(lists),
                "versions": [each.version for each in lists.values()],
                "sources": [each.draft.source for each in lists.values()],
                "arms": [each.draft.arm for each in lists.values()],
                "bodies": [each.body for each in lists.values()],
            },
        )
        return {pk for (pk,) in cursor.fetchall()}
