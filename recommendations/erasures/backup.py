"""Copies of the erasure log in the storage: a restored dump lacks the erasures since, and so does its log.

Each entry is one small file with all data in its name, so that reading the log is listing a folder.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.tenancy import scope
from recommendations.erasures.models import Erasure

BATCH = 500
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-([0-9a-f]{16})-([0-9a-f]{64})")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LogCopy:
    """An entry as encoded in its file name."""

    digest: str
    key: str
    erased_at: datetime


def folder(tenant_id: int) -> str:
    """The folder of a tenant's copies in the storage."""
    return f"erasures/{tenant_id}"


def copy_log(*, tenant_id: int, now: datetime) -> int:
    """Copies entries without a copy to the storage; returns their number. Call it outside any scope.

    Raises: OSError, or other errors of the storage; the next call copies the rest.
    """
    copied = 0
    while batch := _uncopied(tenant_id):
        for entry in batch:
            _write_one(entry)
        with scope.tenant(tenant_id):
            done = Erasure.objects.filter(tenant_id=tenant_id, pk__in=[entry.pk for entry in batch])
            done.update(copied_at=now)
        copied += len(batch)
    return copied


def copy_all_logs(*, now: datetime) -> int:
    """Copies entries without a copy of all tenants; returns their number.

    Raises: as `copy_log`.
    """
    with scope.all_tenants("erasures without a copy"):
        waiting = Erasure.objects.filter(copied_at__isnull=True).order_by()
        tenant_ids = sorted(set(waiting.values_list("tenant_id", flat=True)))
    return sum(copy_log(tenant_id=tenant_id, now=now) for tenant_id in tenant_ids)


def restore_log(*, tenant_id: int, now: datetime) -> int:
    """Inserts entries that are in the storage but not in the table, as after a restore; returns their number.

    Call it outside any scope.
    """
    copies = list(list_copies(tenant_id))
    restored = 0
    for start in range(0, len(copies), BATCH):
        batch = copies[start : start + BATCH]
        with scope.tenant(tenant_id):
            stored = _stored_entries(tenant_id, batch)
            missing = [copy for copy in batch if (copy.digest, copy.erased_at) not in stored]
            Erasure.objects.bulk_create(
                (
                    Erasure(
                        tenant_id=tenant_id,
                        digest=copy.digest,
                        key=copy.key,
                        erased_at=copy.erased_at,
                        copied_at=now,
                    )
                    for copy in missing
                ),
                ignore_conflicts=True,
            )
        restored += len(missing)
    return restored


def list_copies(tenant_id: int) -> Iterator[LogCopy]:
    """Yields all copies of the tenant."""
    for day in _listed(folder(tenant_id), folders=True):
        for name in _listed(f"{folder(tenant_id)}/{day}", folders=False):
            if match := _NAME.match(name):
                stamp, key, digest = match.groups()
                yield LogCopy(digest, key, datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC))


def _uncopied(tenant_id: int) -> list[Erasure]:
    with scope.tenant(tenant_id):
        waiting = Erasure.objects.filter(tenant_id=tenant_id, copied_at__isnull=True)
        return list(waiting.order_by("pk")[:BATCH])


def _write_one(entry: Erasure) -> None:
    at = entry.erased_at.astimezone(UTC)
    name = f"{folder(entry.tenant_id)}/{at:%Y-%m-%d}/{at.strftime(_STAMP)}-{entry.key}-{entry.digest}"
    if not default_storage.exists(name):
        content = {"digest": entry.digest, "key": entry.key, "erased_at": at.isoformat(), "receipt": str(entry.receipt)}
        default_storage.save(name, ContentFile(json.dumps(content).encode() + b"\n"))


def _stored_entries(tenant_id: int, batch: Sequence[LogCopy]) -> set[tuple[str, datetime]]:
    entries = Erasure.objects.filter(tenant_id=tenant_id, digest__in=[copy.digest for copy in batch])
    return set(entries.values_list("digest", "erased_at"))


def _listed(path: str, *, folders: bool) -> list[str]:
    try:
        folder_names, file_names = default_storage.listdir(path)
    except FileNotFoundError:
        return []
    return sorted(folder_names if folders else file_names)
