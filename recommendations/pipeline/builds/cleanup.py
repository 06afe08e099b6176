"""Deletes the remains of old builds: lists in batches, chunks, artefacts with their files, lists of deleted placements.

BUILD_KEEP builds are kept completely. The newest ARTEFACT_KEEP artefacts are kept for rollbacks, as are those of an
experiment's arms until it has ended.
"""

from datetime import datetime

import structlog
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import Exists, OuterRef

from accounts.tenancy import scope
from core.orphan_files import delete_orphans
from core.redis import RedisUnavailable
from recommendations.experiments.models import Experiment, ExperimentArm
from recommendations.pipeline.artefacts import store
from recommendations.pipeline.models import Artefact, Build
from recommendations.placements import cleanup
from recommendations.placements.models import Placement

BATCH = 2000
_TABLES = ("userlist", "referencelist", "freshitem", "chunk")
_DELETE = """
    DELETE FROM recommendations_{table} WHERE id IN (
        SELECT id FROM recommendations_{table} WHERE tenant_id = %s AND build_id = ANY (%s) LIMIT %s
    )
"""
_log = structlog.get_logger(__name__)


def prune(*, tenant_id: int, now: datetime) -> None:
    """Deletes the data of the tenant's old and failed builds; their rows are kept as a history."""
    with scope.tenant(tenant_id):
        builds = Build.objects.filter(tenant_id=tenant_id)
        active = Placement.objects.filter(tenant_id=tenant_id, active_build=OuterRef("pk"))
        published = builds.filter(status=Build.Status.PUBLISHED).order_by("-pk")
        kept = set(published.values_list("pk", flat=True)[: settings.BUILD_KEEP])
        ended = builds.filter(~Exists(active), status__in=[Build.Status.PUBLISHED, Build.Status.FAILED])
        old = [pk for pk in ended.order_by("pk").values_list("pk", flat=True) if pk not in kept]
    for table in _TABLES:
        while _delete_some(tenant_id, table, old):
            pass
    with scope.tenant(tenant_id):
        Build.objects.filter(tenant_id=tenant_id, pk__in=old).update(artefact=None)
        files = _delete_artefacts(tenant_id)
    for file in files:
        default_storage.delete(file)
    delete_orphans(store.folder(tenant_id), used_files=lambda: _used_files(tenant_id), now=now)
    try:
        cleanup.delete_cached_lists(tenant_id=tenant_id)
    except RedisUnavailable:
        _log.info("places_not_forgotten", tenant_id=tenant_id)  # the next build tries again


def _delete_artefacts(tenant_id: int) -> list[str]:
    """Deletes the rows of unused artefacts; returns their files. Call it in the tenant's scope.

    They are locked first and checked again: an experiment that starts meanwhile locks the rows of its artefacts.
    """
    used = Build.objects.filter(artefact=OuterRef("pk"))
    compared = ExperimentArm.objects.filter(tenant_id=tenant_id, artefact=OuterRef("pk")).exclude(
        experiment__status=Experiment.Status.ENDED
    )
    own = Artefact.objects.filter(tenant_id=tenant_id)
    newest = list(own.order_by("-pk").values_list("pk", flat=True)[: settings.ARTEFACT_KEEP])
    unused = own.filter(~Exists(used), ~Exists(compared)).exclude(pk__in=newest)
    locked = [row.pk for row in unused.select_for_update(skip_locked=True)]
    unused = own.filter(~Exists(used), ~Exists(compared), pk__in=locked)
    files = list(unused.values_list("file", flat=True))
    unused.delete()
    return files


def _delete_some(tenant_id: int, table: str, builds: list[int]) -> int:
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_DELETE.format(table=table), [tenant_id, builds, BATCH])
        return int(cursor.rowcount)


def _used_files(tenant_id: int) -> set[str]:
    with scope.tenant(tenant_id):
        return set(Artefact.objects.filter(tenant_id=tenant_id).values_list("file", flat=True))
