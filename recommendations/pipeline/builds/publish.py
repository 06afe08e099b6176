"""The last step of a build: activates it with one pointer update, then warms Redis and prunes old builds.

No event is lost at the swap. A user's mark is cleared if the new list was made after their last event. A list that near
line made later than the build's own continues to serve in the new snapshot, and the user is marked, so that near line
applies the new artefact. Near line writes only while it holds the pointer (FOR SHARE), so it comes entirely before the
swap or entirely after it.
"""

import time

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.tenancy import scope
from core import clock
from core.leases import Lease
from core.queue import enqueue
from core.webhooks.publish import emit
from recommendations.interactions.task_names import RESCORE
from recommendations.metrics import BUILD_SECONDS, BUILDS
from recommendations.pipeline.builds import cache_warmup, claims, cleanup, progress
from recommendations.pipeline.models import Build
from recommendations.placements.models import Placement

# The body begins with the format, then build and version (recommendations.cache.list_codec.ORDER).
_CARRY_OVER = """
    INSERT INTO recommendations_userlist
        (tenant_id, build_id, placement_id, end_user_id, version, source, arm, body, generated_at, person_version)
    SELECT old.tenant_id, %(new)s, old.placement_id, old.end_user_id, old.version + 1, old.source, old.arm,
        overlay(old.body PLACING int8send(%(new)s::bigint) || int4send(old.version + 1) FROM 2 FOR 12),
        old.generated_at, NULL
    FROM recommendations_placement AS placement
    JOIN recommendations_userlist AS old
        ON old.build_id = placement.active_build_id AND old.placement_id = placement.id
    LEFT JOIN recommendations_userlist AS new
        ON new.build_id = %(new)s AND new.placement_id = old.placement_id AND new.end_user_id = old.end_user_id
    WHERE placement.tenant_id = %(tenant)s AND placement.active_build_id <> %(new)s
        AND (new.id IS NULL OR old.generated_at > new.generated_at)
    ON CONFLICT (build_id, placement_id, end_user_id) DO UPDATE SET
        version = excluded.version, source = excluded.source, arm = excluded.arm, body = excluded.body,
        generated_at = excluded.generated_at, person_version = NULL
"""
# Rows that a transaction with new events holds are skipped: it marks them itself.
_MARK = """
    WITH carried AS (
        SELECT id FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND id IN (
            SELECT end_user_id FROM recommendations_userlist WHERE build_id = %(new)s AND person_version IS NULL
        )
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE recommendations_enduser AS u SET dirty_at = coalesce(u.dirty_at, statement_timestamp())
    FROM carried WHERE u.id = carried.id
"""
_CLEAR_MARKS = """
    WITH idle AS (
        SELECT id FROM recommendations_enduser
        WHERE tenant_id = %(tenant)s AND dirty_at IS NOT NULL
        ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE recommendations_enduser AS u SET dirty_at = NULL
    FROM idle, recommendations_userlist AS list
    WHERE u.id = idle.id AND list.build_id = %(new)s AND list.end_user_id = u.id
        AND u.xmin::text::bigint = list.person_version
"""
_log = structlog.get_logger(__name__)


def publish_step(*, tenant_id: int, build_id: int) -> None:
    """Publishes the build if all its chunks are done and no other worker does it or has done it.

    Raises:
        RedisUnavailable: The lists serve already, but Redis could not be updated. It is tried until it succeeds, since
            Redis may hold lists of the old snapshot.
    """
    lease = claims.claim_step(tenant_id=tenant_id, build_id=build_id, status=Build.Status.SCORING)
    to_swap = lease is not None
    lease = lease or claims.claim_step(tenant_id=tenant_id, build_id=build_id, status=Build.Status.PUBLISHING)
    if lease is None:
        return
    started = time.monotonic()
    with claims.holding(lease, tenant_id=tenant_id, build_id=build_id) as heartbeat:
        if to_swap:
            _swap(lease, tenant_id, build_id)
        cache_warmup.warm(tenant_id=tenant_id, build_id=build_id, checkpoint=heartbeat.check)
        with scope.tenant(tenant_id):
            lease.finish(status=Build.Status.PUBLISHED, error="")
            # For the users that the swap marked: no message was sent for them.
            enqueue(RESCORE, countdown=settings.NEARLINE_DEBOUNCE_SECONDS, tenant_id=tenant_id, user_pks=[])
    BUILDS.labels("published").inc()
    BUILD_SECONDS.labels("publish").observe(time.monotonic() - started)
    _log.info("build_published", build_id=build_id)
    cleanup.prune(tenant_id=tenant_id, now=clock.database_now())


def _emit_published(tenant_id: int, build_id: int) -> None:
    build = Build.objects.get(tenant_id=tenant_id, pk=build_id)
    data = {"build": build.pk, "people": build.people, "artefact": build.artefact_id, "outcomes": build.outcomes}
    emit(tenant_id=tenant_id, type="build.published", data=data, now=clock.database_now())


def placements_of(build: Build) -> QuerySet[Placement]:
    """The placements that existed when the build began. Call it in the tenant's scope."""
    placements = Placement.objects.filter(tenant_id=build.tenant_id).order_by()
    return placements.filter(pk__in=[int(pk) for pk in build.versions]) if build.versions else placements


def _swap(lease: Lease, tenant_id: int, build_id: int) -> None:
    """Makes the build's lists the active ones.

    Raises:
        LeaseLost: Nothing has changed.
    """
    parameters = {"tenant": tenant_id, "new": build_id}
    with scope.tenant(tenant_id):
        placements = Placement.objects.filter(tenant_id=tenant_id).order_by("pk")
        list(placements.select_for_update(no_key=True))
        outcomes = progress.total_outcomes(tenant_id=tenant_id, build_id=build_id)
        with connection.cursor() as cursor:
            cursor.execute(_CARRY_OVER, parameters)
            carried = cursor.rowcount
            cursor.execute(_MARK, parameters)
            cursor.execute(_CLEAR_MARKS, parameters)
            cleared = cursor.rowcount
        build = Build.objects.only("tenant_id", "versions").get(tenant_id=tenant_id, pk=build_id)
        placements_of(build).update(active_build_id=build_id)
        # Last, since the heartbeat writes to this row too.
        lease.keep(status=Build.Status.PUBLISHING, published_at=Now(), attempts=1, outcomes=outcomes)
        _emit_published(tenant_id, build_id)
    _log.info("snapshot_swapped", build_id=build_id, carried=carried, cleared=cleared)
