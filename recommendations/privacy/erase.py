"""Erasing a person: what every slice holds about them, here and in Redis; the log keeps them from coming back."""

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
from recommendations.placements.versions import names
from recommendations.privacy.data_registry import HOLDINGS, Subject

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, and when. `rows` counts by kind; `number` is what the log calls it.

    It does not name the person: the answer that it becomes is stored under an Idempotency-Key, after the erasure.
    """

    number: uuid.UUID
    erased_at: datetime
    rows: dict[str, int]


def forget_cached(*, tenant_id: int, user_id: str) -> None:
    """Removes the person's lists from Redis, which may take a while: call it outside any transaction.

    Raises: Unavailable when Redis cannot forget the person.
    """
    try:
        cache.forget_user(tenant_id, user_id, names(tenant_id=tenant_id))
    except RedisUnavailable as error:
        raise Unavailable("The cached lists cannot be erased at this moment. Nothing was changed.") from error


def erase_end_user(*, tenant_id: int, user_id: str, now: datetime, check: Check = unconditional) -> Receipt:
    """Erases the person in one transaction. Call `forget_cached` before, and only go on when it could.

    The person's row is locked first: events that arrive meanwhile wait, find nobody, and begin a new stub. Whatever
    write about the person came before has stored its answer by then. Imports' rows wait as well, and are then refused.
    Redis forgets the person once more after the commit, and the storage gets its copy of the log.
    Raises: NotFound, PreconditionFailed; then nothing is changed.
    """
    with scope.tenant(tenant_id):
        log.hold(tenant_id)
        person = end_users.existing(tenant_id, user_id)
        check(end_users.version(person))
        former = list(
            FormerId.objects.filter(tenant_id=tenant_id, end_user_id=person.pk).values_list("digest", flat=True)
        )
        receipt = Receipt(uuid.uuid4(), now, _erase(person))
        log.enter(
            tenant_id=tenant_id,
            digests=[log.digest(tenant_id, user_id), *former],
            rows=receipt.rows,
            receipt=receipt.number,
            now=now,
        )
        transaction.on_commit(lambda: forget_again(tenant_id, user_id))
        transaction.on_commit(lambda: _copy(tenant_id, now))
    return receipt


def erase_again(*, tenant_id: int, pk: int, now: datetime) -> bool:
    """Erases a person who came back with something older than their erasure; False when somebody else did."""
    with scope.tenant(tenant_id):
        log.hold(tenant_id)
        person = EndUser.objects.select_for_update().filter(tenant_id=tenant_id, pk=pk).order_by().first()
        if person is None:
            return False
        _erase(person)
        again = Erasure.objects.filter(tenant_id=tenant_id, digest=log.digest(tenant_id, person.user_id))
        again.update(repeated_at=now)
        user_id = person.user_id
        transaction.on_commit(lambda: forget_again(tenant_id, user_id))
    return True


def _erase(person: EndUser) -> dict[str, int]:
    subject = Subject(person.tenant_id, person.pk, person.user_id)
    rows = {holding.name: holding.erase(subject) for holding in HOLDINGS}
    FormerId.objects.filter(tenant_id=person.tenant_id, end_user_id=person.pk).delete()
    people, _ = EndUser.objects.filter(tenant_id=person.tenant_id, pk=person.pk).delete()
    return {"end_users": people, **rows}


def forget_again(tenant_id: int, user_id: str) -> None:
    try:
        cache.forget_user(tenant_id, user_id, names(tenant_id=tenant_id))
    except RedisUnavailable:
        _log.warning("forget_user_not_repeated", tenant_id=tenant_id)


def _copy(tenant_id: int, now: datetime) -> None:
    try:
        backup.write(tenant_id=tenant_id, now=now)
    except Exception as error:  # noqa: BLE001  # whatever a storage raises: the minute's job copies it
        _log.warning("erasure_not_copied", tenant_id=tenant_id, error=str(error))
