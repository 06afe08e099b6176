"""Erasure of a user from all slices and Redis; the erasure log keeps old files and dumps from bringing them back."""

import uuid
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction

from accounts.tenancy import scope
from core.errors import Unavailable
from core.redis import RedisUnavailable
from recommendations import cache
from recommendations.catalog import end_users
from recommendations.catalog.models import EndUser
from recommendations.catalog.upsert import Check, unconditional
from recommendations.erasures import backup, log
from recommendations.erasures.models import Erasure, FormerId
from recommendations.placements.versions import placement_names
from recommendations.privacy.data_registry import DATA_REGISTRY, DataSubject

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The record of an erasure. `rows` counts by kind; `number` identifies the entry in the log.

    It does not name the user: the response is stored under an Idempotency-Key after the erasure.
    """

    number: uuid.UUID
    erased_at: datetime
    rows: dict[str, int]


def remove_cached_lists(*, tenant_id: int, user_id: str) -> None:
    """Removes the user's lists from Redis, which may take a while: call it outside any transaction.

    Raises: Unavailable if Redis cannot be reached.
    """
    try:
        cache.forget_user(tenant_id, user_id, placement_names(tenant_id=tenant_id))
    except RedisUnavailable as error:
        raise Unavailable("The cached lists cannot be erased right now. Nothing was changed.") from error


def erase_end_user(*, tenant_id: int, user_id: str, now: datetime, check: Check = unconditional) -> Receipt:
    """Erases the user in one transaction. Call `remove_cached_lists` first, and proceed only if it succeeds.

    The user's row is locked first: events that arrive meanwhile wait, find no user, and create a new stub; writes that
    came before have stored their responses by then. Rows of imports wait as well, and are rejected afterwards. After
    the commit, cached lists are removed once more, and the storage gets its copy of the log.

    Raises: NotFound, PreconditionFailed; then nothing has changed.
    """
    with scope.tenant(tenant_id):
        log.lock_exclusively(tenant_id)
        user = end_users.lock_existing_end_user(tenant_id, user_id)
        check(end_users.version_of(user))
        former = list(
            FormerId.objects.filter(tenant_id=tenant_id, end_user_id=user.pk).values_list("digest", flat=True)
        )
        receipt = Receipt(uuid.uuid4(), now, _erase(user))
        log.log_erasure(
            tenant_id=tenant_id,
            digests=[log.digest(tenant_id, user_id), *former],
            rows=receipt.rows,
            receipt=receipt.number,
            now=now,
        )
        transaction.on_commit(lambda: remove_cached_lists_again(tenant_id, user_id))
        transaction.on_commit(lambda: _copy(tenant_id, now))
    return receipt


def erase_again(*, tenant_id: int, pk: int, now: datetime) -> bool:
    """Erases a user who returned with data older than their erasure; False if another process already did."""
    with scope.tenant(tenant_id):
        log.lock_exclusively(tenant_id)
        user = EndUser.objects.select_for_update().filter(tenant_id=tenant_id, pk=pk).order_by().first()
        if user is None:
            return False
        _erase(user)
        again = Erasure.objects.filter(tenant_id=tenant_id, digest=log.digest(tenant_id, user.user_id))
        again.update(repeated_at=now)
        user_id = user.user_id
        transaction.on_commit(lambda: remove_cached_lists_again(tenant_id, user_id))
    return True


def _erase(user: EndUser) -> dict[str, int]:
    subject = DataSubject(user.tenant_id, user.pk, user.user_id)
    rows = {data.name: data.erase(subject) for data in DATA_REGISTRY}
    FormerId.objects.filter(tenant_id=user.tenant_id, end_user_id=user.pk).delete()
    users, _ = EndUser.objects.filter(tenant_id=user.tenant_id, pk=user.pk).delete()
    return {"end_users": users, **rows}


def remove_cached_lists_again(tenant_id: int, user_id: str) -> None:
    """Removes lists that were cached during the erasure; a failure is only logged."""
    try:
        cache.forget_user(tenant_id, user_id, placement_names(tenant_id=tenant_id))
    except RedisUnavailable:
        _log.warning("forget_user_not_repeated", tenant_id=tenant_id)


def _copy(tenant_id: int, now: datetime) -> None:
    try:
        backup.copy_log(tenant_id=tenant_id, now=now)
    except Exception as error:  # noqa: BLE001  # storages raise anything; the periodic task copies it
        _log.warning("erasure_not_copied", tenant_id=tenant_id, error=str(error))
