"""Makes new and changed items recommendable within a minute: ingests them, then brings them into lists.

Runs after a commit that changed items, and each minute for missed ones. A build that is still being scored ingests its
items as well; they get into its lists once it serves.
"""

import time
from datetime import datetime
from typing import Any

from django.db import connection

from accounts.tenancy import scope
from core.queue import enqueue
from recommendations.catalog.task_names import TAKE_IN
from recommendations.pipeline.artefacts import live, store
from recommendations.pipeline.fresh_items import ingest, propagate
from recommendations.pipeline.models import Build
from recommendations.placements.models import Placement

# The time of one task; the rest is enqueued again, behind other tenants' tasks.
TURN_SECONDS = 20.0
_WAITING = """
    SELECT DISTINCT build.tenant_id FROM recommendations_build AS build
    JOIN recommendations_artefact AS artefact ON artefact.id = build.artefact_id
    WHERE (
        build.status IN ('scoring', 'publishing')
        OR EXISTS (SELECT FROM recommendations_placement AS p WHERE p.active_build_id = build.id)
    ) AND (
        EXISTS (
            SELECT FROM recommendations_item AS c
            WHERE c.tenant_id = build.tenant_id
              AND c.updated_at >= coalesce(artefact.catalogue_at, artefact.created_at) - %(slack)s
              AND NOT EXISTS (
                SELECT FROM recommendations_freshitem AS f
                WHERE f.build_id = build.id AND f.item_id = c.item_id AND f.seen_at = c.updated_at)
        ) OR EXISTS (
            SELECT FROM recommendations_item AS c
            WHERE c.tenant_id = build.tenant_id
              AND c.available_from > coalesce(artefact.catalogue_at, artefact.created_at) - %(slack)s
              AND c.available_from <= %(now)s
              AND NOT EXISTS (
                SELECT FROM recommendations_freshitem AS f
                WHERE f.build_id = build.id AND f.item_id = c.item_id AND f.shown)
        ) OR EXISTS (SELECT FROM recommendations_freshitem AS f WHERE f.build_id = build.id AND f.waiting)
    )
"""


def process_fresh_items(*, tenant_id: int, now: datetime) -> int:
    """Ingests the tenant's new and changed items and brings them into lists; returns how many got into lists.

    Raises:
        RedisUnavailable: The remaining items keep waiting.
    """
    ends = time.monotonic() + TURN_SECONDS
    listed = 0
    for build, serves in _builds(tenant_id):
        assert build.artefact is not None
        artefact = store.load(artefact_id=build.artefact.pk, file=build.artefact.file)
        while True:
            ingested = ingest.ingest_next(build=build, loaded=artefact, now=now)
            loaded = live.with_fresh_items(artefact, tenant_id=tenant_id, build_id=build.pk)
            propagated = propagate.propagate(build=build, loaded=loaded, now=now) if serves else 0
            listed += propagated
            if not ingested and not propagated:
                break
            if time.monotonic() > ends:
                enqueue(TAKE_IN, tenant_id=tenant_id)
                return listed
    return listed


def sweep(*, now: datetime) -> int:
    """Enqueues the task for each tenant with pending fresh items; returns the number of tenants."""
    parameters: dict[str, Any] = {"now": now, "slack": ingest.SLACK}
    with scope.all_tenants("fresh items: where something waits"), connection.cursor() as cursor:
        cursor.execute(_WAITING, parameters)
        tenant_ids = [tenant_id for (tenant_id,) in cursor.fetchall()]
    for tenant_id in tenant_ids:
        enqueue(TAKE_IN, tenant_id=tenant_id)
    return len(tenant_ids)


def _builds(tenant_id: int) -> list[tuple[Build, bool]]:
    """The serving builds and the one whose lists are being made; each with whether it serves."""
    with scope.tenant(tenant_id):
        active = set(
            Placement.objects.filter(tenant_id=tenant_id, active_build__artefact__isnull=False).values_list(
                "active_build", flat=True
            )
        )
        in_progress = Build.objects.filter(
            tenant_id=tenant_id, status__in=[Build.Status.SCORING, Build.Status.PUBLISHING], artefact__isnull=False
        )
        wanted = active | set(in_progress.values_list("pk", flat=True))
        builds = Build.objects.select_related("artefact").filter(tenant_id=tenant_id, pk__in=wanted).order_by("pk")
        return [(build, build.pk in active) for build in builds]
