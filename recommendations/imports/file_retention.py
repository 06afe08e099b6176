"""What imports leave: files, refused rows, the imports themselves; and how all of it goes again."""

from datetime import datetime, timedelta

import structlog
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q

from accounts.tenancy import scope
from accounts.tenancy.retention import RetentionPeriods
from core import mentions
from recommendations.imports.lifecycle import try_to_delete
from recommendations.imports.models import Import, ImportRowError
from recommendations.imports.uploads import folder

BATCH = 50
# A file is written before its row: younger ones may belong to a request that is going on.
ORPHAN_AFTER = timedelta(days=1)
# Texts that stand in place of those that named somebody.
_GONE = "It named a person who was erased since."
_log = structlog.get_logger(__name__)


def forget_person(*, tenant_id: int, user_id: str) -> int:
    """Deletes every stored file that may name people after the commit, and texts that name this one; returns how many.

    A text names a person where their id stands in it as a whole (`core.mentions`). Nobody looks into the files: what
    was in them stands in the tables, and is erased there. A file that is still to be taken in goes when that has ended,
    and its rows about the person are refused. Call it in the erasure's transaction.
    """
    imports = Import.objects.filter(tenant_id=tenant_id)
    files = list(imports.filter(kind__in=[Import.Kind.USERS, Import.Kind.EVENTS]).exclude(file=""))
    imports.filter(pk__in=[job.pk for job in files]).update(names_erased=True)
    imports.filter(mentions.of(user_id, "filename")).update(filename="")
    imports.filter(mentions.of(user_id, "error")).update(error=_GONE)
    errors = ImportRowError.objects.filter(tenant_id=tenant_id)
    errors.filter(mentions.of(user_id, "detail", "field")).update(detail=_GONE, field="")
    for job in files:
        if job.status not in Import.OPEN:
            transaction.on_commit(lambda job=job: try_to_delete(job))  # type: ignore[misc]
    return len(files)


def prune(*, tenant_id: int, periods: RetentionPeriods, now: datetime) -> int:
    """Deletes files and imports that are past their time, and files without an import; returns how many imports.

    Call it outside any scope. It takes a bounded number each time.
    """
    with scope.tenant(tenant_id):
        ended = Import.objects.filter(tenant_id=tenant_id).exclude(status__in=Import.OPEN).order_by("pk")
        due = Q(names_erased=True) | Q(finished_at__lte=now - periods.import_files)
        files = list(ended.filter(due).exclude(file="")[:BATCH])
    for job in files:
        try_to_delete(job)
    deleted = 0
    if periods.imports is not None:
        with scope.tenant(tenant_id):
            old = ended.filter(file="", finished_at__lte=now - periods.imports).values_list("pk", flat=True)
            pks = list(old[:BATCH])
            ImportRowError.objects.filter(tenant_id=tenant_id, job_id__in=pks).delete()
            deleted, _ = Import.objects.filter(tenant_id=tenant_id, pk__in=pks).delete()
    _remove_orphans(tenant_id, now)
    return deleted


def _remove_orphans(tenant_id: int, now: datetime) -> None:
    """Files of requests that were killed before their import was there, or that a storage would not delete."""
    try:
        _, names = default_storage.listdir(folder(tenant_id))
    except FileNotFoundError:
        return
    with scope.tenant(tenant_id):
        used = set(Import.objects.filter(tenant_id=tenant_id).exclude(file="").values_list("file", flat=True))
    for name in names:
        path = f"{folder(tenant_id)}/{name}"
        if path not in used and default_storage.get_modified_time(path) < now - ORPHAN_AFTER:
            default_storage.delete(path)
            _log.info("import_file_removed", file=path)
