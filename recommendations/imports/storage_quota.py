"""How many import files a tenant may have, and how large together. Asked before a file is written, not after."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db.models import Sum

from accounts.tenancy import scope
from core.errors import Conflict
from recommendations.imports.models import Import

# As many of a tenant's imports wait or run at once.
MAX_OPEN = 10
# What this process's requests are writing right now, by tenant: no row knows of it yet.
_coming: Counter[int] = Counter()
_lock = threading.Lock()


class TooManyImports(Conflict):
    """The tenant has as many unfinished imports as it may have."""

    title = "Too many imports"


class NoRoom(Conflict):
    """The tenant's import files take up all the room that they may have."""

    title = "No room for the file"


def check(*, tenant_id: int, size: int) -> int:
    """The bytes that a tenant's next file may have, at most IMPORT_MAX_BYTES. Call it in the tenant's scope.

    Raises: TooManyImports, NoRoom for a file of `size` bytes.
    """
    files = Import.objects.filter(tenant_id=tenant_id).exclude(file="")
    if files.filter(status__in=Import.OPEN).count() >= MAX_OPEN:
        raise TooManyImports(f"{MAX_OPEN} imports of this tenant wait or run; send it again when one has ended.")
    held = (files.aggregate(held=Sum("size_bytes"))["held"] or 0) + _coming[tenant_id]
    most, left = settings.IMPORT_STORAGE_MAX_BYTES, settings.IMPORT_STORAGE_MAX_BYTES - held
    if left < max(size, 1):
        raise NoRoom(
            f"This tenant's import files may take {most:,} bytes together (IMPORT_STORAGE_MAX_BYTES), and {held:,} are "
            "taken. Send it again when an import has ended, in smaller parts, or packed with gzip."
        )
    return int(min(left, settings.IMPORT_MAX_BYTES))


@contextmanager
def kept_for(*, tenant_id: int, size: int | None) -> Iterator[int]:
    """Keeps room for a file while it is written, and says how large it may be. `size`: what its sender says of it.

    Other processes see it once its import is there: together they can go beyond the bound by what is on its way.

    Raises: TooManyImports, NoRoom.
    """
    with scope.tenant(tenant_id), _lock:
        most = check(tenant_id=tenant_id, size=min(size or 0, settings.IMPORT_MAX_BYTES))
        reserved = most if size is None else min(size, most)
        _coming[tenant_id] += reserved
    try:
        yield most
    finally:
        with _lock:
            _coming[tenant_id] -= reserved
            if _coming[tenant_id] <= 0:
                del _coming[tenant_id]
