"""Retention of imports: their files, rejected rows and the imports themselves."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from accounts.tenancy import scope
from accounts.tenancy.retention_periods import RetentionPeriods
from core import mentions
from core.orphan_files import delete_orphans
from recommendations.imports.lifecycle import try_to_delete
from recommendations.imports.models import Import, ImportRowError
from recommendations.imports.uploads import folder

BATCH = 50
# Replaces texts that named an erased user.
_ERASED_TEXT = "It named a user who has been erased since."


def erase_mentions(*, tenant_id: int, user_id: str) -> int:
    """Deletes all files that may name users after the commit, and texts that name this user; returns the file count.

    A text names a user if it contains their id as a whole (`core.mentions`). Files are not searched: their content is
    in the tables, and is erased there. A file that is still being imported is deleted when that has ended, and its rows
    about the user are rejected. Call it in the erasure's transaction.
    """
    imports = Import.objects.filter(tenant_id=tenant_id)
    files = list(imports.filter(kind__in=[Import.Kind.USERS, Import.Kind.EVENTS]).exclude(file=""))
    imports.filter(pk__in=[job.pk for job in files]).update(names_erased=True)
    imports.filter(mentions.mention_condition(user_id, "filename")).update(filename="")
    imports.filter(mentions.mention_condition(user_id, "error")).update(error=_ERASED_TEXT)
    errors = ImportRowError.objects.filter(tenant_id=tenant_id)
    errors.filter(mentions.mention_condition(user_id, "detail", "field")).update(detail=_ERASED_TEXT, field="")
    for job in files:
        if job.status not in Import.OPEN:
            transaction.on_commit(lambda job=job: try_to_delete(job))  # type: ignore[misc]
    return len(files)


def delete_expired(*, tenant_id: int, periods: RetentionPeriods, now: datetime) -> int:
    """Deletes a bounded number of expired files and imports, and orphan files; returns the number of imports.

    Call it outside any scope.
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
    delete_orphans(folder(tenant_id), used_files=lambda: _used_files(tenant_id), now=now)
    return deleted


def _used_files(tenant_id: int) -> set[str]:
    with scope.tenant(tenant_id):
        return set(Import.objects.filter(tenant_id=tenant_id).exclude(file="").values_list("file", flat=True))
