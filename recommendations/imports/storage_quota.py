"""Limits on the number and total size of a tenant's import files, checked before a file is written."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db.models import Sum

from accounts.tenancy import scope
from core.errors import Conflict
from recommendations.imports.models import Import

# Waiting and running imports per tenant.
MAX_OPEN = 10
# Bytes reserved by running requests of this process, by tenant: they have no row yet.
_reserved: Counter[int] = Counter()
_lock = threading.Lock()


class TooManyImports(Conflict):
    """The tenant has the maximum number of unfinished imports."""

    title = "Too many imports"


class StorageQuotaExceeded(Conflict):
    """The tenant's import files use up its storage quota."""

    title = "Import storage quota exceeded"


def check_quota(*, tenant_id: int, size: int) -> int:
    """The maximum size of the tenant's next file, at most IMPORT_MAX_BYTES. Call it in the tenant's scope.

    Raises: TooManyImports, StorageQuotaExceeded for a file of `size` bytes.
    """
    files = Import.objects.filter(tenant_id=tenant_id).exclude(file="")
    if files.filter(status__in=Import.OPEN).count() >= MAX_OPEN:
        raise TooManyImports(
            f"{MAX_OPEN} imports of this tenant are waiting or running; try again when one has finished."
        )
    used = (files.aggregate(total=Sum("size_bytes"))["total"] or 0) + _reserved[tenant_id]
    most, left = settings.IMPORT_STORAGE_MAX_BYTES, settings.IMPORT_STORAGE_MAX_BYTES - used
    if left < max(size, 1):
        raise StorageQuotaExceeded(
            f"This tenant's import files may use {most:,} bytes in total (IMPORT_STORAGE_MAX_BYTES), of which {used:,} "
            "are used. Try again when an import has finished, split the file, or compress it with gzip."
        )
    return int(min(left, settings.IMPORT_MAX_BYTES))


@contextmanager
def reserve(*, tenant_id: int, size: int | None) -> Iterator[int]:
    """Reserves storage for a file while it is written, and yields its maximum size. `size` is what the sender claims.

    Other processes only see it once its import exists: together they may exceed the quota by running uploads.

    Raises: TooManyImports, StorageQuotaExceeded.
    """
    with scope.tenant(tenant_id), _lock:
        most = check_quota(tenant_id=tenant_id, size=min(size or 0, settings.IMPORT_MAX_BYTES))
        reserved = most if size is None else min(size, most)
        _reserved[tenant_id] += reserved
    try:
        yield most
    finally:
        with _lock:
            _reserved[tenant_id] -= reserved
            if _reserved[tenant_id] <= 0:
                del _reserved[tenant_id]
