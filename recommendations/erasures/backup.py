"""The log once more in the storage: a dump that is restored is older than the erasures since, and so is its log.

One small file for each entry. Its name says all there is to know, so that reading the log is listing a folder.
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
class Copy:
    """An entry as its file's name tells it."""

    digest: str
    key: str
    erased_at: datetime


def folder(tenant_id: int) -> str:
    """Where a tenant's copies lie in the storage."""
    return f"erasures/{tenant_id}"


def write(*, tenant_id: int, now: datetime) -> int:
    """Copies the entries that have no copy yet to the storage; returns how many. Call it outside any scope.

    Raises: OSError, or what the storage raises when it is away; what was not copied is found by the next call.
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


def write_all(*, now: datetime) -> int:
    """Copies what has no copy yet, of every tenant; returns how many.

    Raises: as `write`.
    """
    with scope.all_tenants("erasures without a copy"):
        waiting = Erasure.objects.filter(copied_at__isnull=True).order_by()
        tenant_ids = sorted(set(waiting.values_list("tenant_id", flat=True)))
    return sum(write(tenant_id=tenant_id, now=now) for tenant_id in tenant_ids)


def take_back(*, tenant_id: int, now: datetime) -> int:
    """Enters what the storage knows and the table does not, as after a restore; returns how much that was.

    Call it outside any scope.
    """
    found = list(read(tenant_id))
    taken = 0
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        with scope.tenant(tenant_id):
            there = _there(tenant_id, batch)
            missing = [copy for copy in batch if (copy.digest, copy.erased_at) not in there]
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
        taken += len(missing)
    return taken


def read(tenant_id: int) -> Iterator[Copy]:
    """Every copy of the tenant."""
    for day in _listed(folder(tenant_id), folders=True):
        for name in _listed(f"{folder(tenant_id)}/{day}", folders=False):
            if match := _NAME.match(name):
                stamp, key, digest = match.groups()
                yield Copy(digest, key, datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC))


def _uncopied(tenant_id: int) -> list[Erasure]:
    with scope.tenant(tenant_id):
        waiting = Erasure.objects.filter(tenant_id=tenant_id, copied_at__isnull=True)
        return list(waiting.order_by("pk")[:BATCH])


def _write_one(entry: Erasure) -> None:
    at = entry.erased_at.astimezone(UTC)
    name = f"{folder(entry.tenant_id)}/{at:%Y-%m-%d}/{at.strftime(_STAMP)}-{entry.key}-{entry.digest}"
    if not default_storage.exists(name):
        said = {"digest": entry.digest, "key": entry.key, "erased_at": at.isoformat(), "receipt": str(entry.receipt)}
        default_storage.save(name, ContentFile(json.dumps(said).encode() + b"\n"))


def _there(tenant_id: int, batch: Sequence[Copy]) -> set[tuple[str, datetime]]:
    held = Erasure.objects.filter(tenant_id=tenant_id, digest__in=[copy.digest for copy in batch])
    return set(held.values_list("digest", "erased_at"))


def _listed(path: str, *, folders: bool) -> list[str]:
    try:
        found = default_storage.listdir(path)
    except FileNotFoundError:
        return []
    return sorted(found[0] if folders else found[1])
