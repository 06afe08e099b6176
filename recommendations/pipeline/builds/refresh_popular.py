"""Refreshes the shared lists (popular, trending, of segments) each hour between two builds."""

from datetime import datetime

import structlog

from accounts.tenancy import scope
from core.queue import enqueue
from core.redis import RedisUnavailable
from recommendations.cache import keys, list_cache
from recommendations.cache.list_codec import decode_or_none
from recommendations.list_kinds import POPULAR
from recommendations.pipeline.artefacts import store
from recommendations.pipeline.candidates import list_writers
from recommendations.pipeline.lists import entries
from recommendations.pipeline.lists.writer import write_reference_lists
from recommendations.pipeline.models import Build, ReferenceList
from recommendations.pipeline.task_names import REFRESH_TENANT_POPULAR
from recommendations.placements.models import HOME, Placement

_log = structlog.get_logger(__name__)


def refresh_all() -> int:
    """Enqueues the refresh of each tenant with a snapshot; returns the number of tenants."""
    with scope.all_tenants("hourly popularity"):
        active = Placement.objects.filter(name=HOME, active_build__isnull=False, tenant__active=True)
        tenant_ids = list(active.order_by("tenant_id").values_list("tenant_id", flat=True))
    for tenant_id in tenant_ids:
        enqueue(REFRESH_TENANT_POPULAR, tenant_id=tenant_id)
    return len(tenant_ids)


def refresh(*, tenant_id: int, now: datetime) -> bool:
    """Replaces the shared lists of the active snapshot in PostgreSQL, then in Redis; False if there are none."""
    with scope.tenant(tenant_id):
        build = (
            Build.objects.select_related("artefact")
            .filter(pk__in=Placement.objects.filter(tenant_id=tenant_id, name=HOME).values("active_build"))
            .first()
        )
    if build is None or build.artefact is None:
        return False
    loaded = store.load(artefact_id=build.artefact.pk, file=build.artefact.file)
    with scope.tenant(tenant_id):
        rows = ReferenceList.objects.filter(tenant_id=tenant_id, build=build, kind=POPULAR.key, subject="")
        row = rows.select_for_update().first()
        if row is None or row.generated_at > now:
            return False
        locale = entries.tenant_locale(tenant_id)
        changed = list_writers.make_shared_lists(
            build=build, loaded=loaded, version=_version(row) + 1, now=now, locale=locale
        )
        write_reference_lists(changed)
    try:
        list_cache.set_many(
            (keys.reference_list(tenant_id, each.kind, each.subject), bytes(each.body)) for each in changed
        )
    except RedisUnavailable:
        _log.warning("popular_not_cached", tenant_id=tenant_id)
    return True


def _version(row: ReferenceList) -> int:
    stored = decode_or_none(row.body)
    return stored.provenance.version if stored is not None else 1
