"""New and changed items become recommendable within a minute: taken in, then brought into lists.

Asked for after the commit that changed items, and each minute for what was missed. A build that is still being scored
takes its items in as well; they come into its lists once it serves.
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

# One task's time; what is left is asked for again, behind what other tenants wait for.
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


def take_in(*, tenant_id: int, now: datetime) -> int:
    """Takes in the tenant's new and changed items and brings them into lists; returns how many came into some.

    Raises: RedisUnavailable; what is left waits on.
    """
    ends = time.monotonic() + TURN_SECONDS
    listed = 0
    for build, serves in _builds(tenant_id):
        assert build.artefact is not None
        alone = store.load(artefact_id=build.artefact.pk, file=build.artefact.file)
        while True:
            taken = ingest.take_in(build=build, loaded=alone, now=now)
            loaded = live.with_fresh(alone, tenant_id=tenant_id, build_id=build.pk)
            told = propagate.list_news(build=build, loaded=loaded, now=now) if serves else 0
            listed += told
            if not taken and not told:
                break
            if time.monotonic() > ends:
                enqueue(TAKE_IN, tenant_id=tenant_id)
                return listed
    return listed


def sweep(*, now: datetime) -> int:
    """Asks for it for each tenant where something waits; returns for how many."""
    parameters: dict[str, Any] = {"now": now, "slack": ingest.SLACK}
    with scope.all_tenants("fresh items: where something waits"), connection.cursor() as cursor:
        cursor.execute(_WAITING, parameters)
        tenant_ids = [tenant_id for (tenant_id,) in cursor.fetchall()]
    for tenant_id in tenant_ids:
        enqueue(TAKE_IN, tenant_id=tenant_id)
    return len(tenant_ids)


def _builds(tenant_id: int) -> list[tuple[Build, bool]]:
    """The builds that serve, and the one whose lists are being made; with whether they serve."""
    with scope.tenant(tenant_id):
        active = set(
            Placement.objects.filter(tenant_id=tenant_id, active_build__artefact__isnull=False).values_list(
                "active_build", flat=True
            )
        )
        coming = Build.objects.filter(
            tenant_id=tenant_id, status__in=[Build.Status.SCORING, Build.Status.PUBLISHING], artefact__isnull=False
        )
        wanted = active | set(coming.values_list("pk", flat=True))
        builds = Build.objects.select_related("artefact").filter(tenant_id=tenant_id, pk__in=wanted).order_by("pk")
        return [(build, build.pk in active) for build in builds]
