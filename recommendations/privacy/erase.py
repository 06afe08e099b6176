"""Erasing a person: their row, events, lists here and in Redis, stored answers that name them, AI's about them."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction

from accounts import scope
from core.errors import Unavailable
from core.idempotency.retention import erase_answers
from core.redis import RedisUnavailable
from recommendations import cache
from recommendations.ai import answers
from recommendations.catalog import end_users
from recommendations.catalog.models import EndUser
from recommendations.catalog.upsert import Check, unconditional
from recommendations.interactions.models import Interaction
from recommendations.precompute.models import UserList

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, and when. `rows` counts by kind.

    It does not name the person: the answer that it becomes is stored under an Idempotency-Key, after the erasure.
    """

    erased_at: datetime
    rows: dict[str, int]


def forget_cached(*, tenant_id: int, user_id: str) -> None:
    """Removes the person's lists from Redis, which may take a while: call it outside any transaction.

    Raises: Unavailable when Redis cannot forget the person.
    """
    try:
        cache.forget_user(tenant_id, user_id)
    except RedisUnavailable as error:
        raise Unavailable("The cached lists cannot be erased at this moment. Nothing was changed.") from error


def erase_end_user(*, tenant_id: int, user_id: str, now: datetime, check: Check = unconditional) -> Receipt:
    """Erases the person in one transaction. Call `forget_cached` before, and only go on when it could.

    The person's row is locked first: events that arrive meanwhile wait, find nobody, and begin a new stub. Whatever
    write about the person came before has stored its answer by then. Redis forgets the person once more after the
    commit, because a reader may have put the list back in between.
    Raises: NotFound, PreconditionFailed; then nothing is changed.
    """
    with scope.tenant(tenant_id):
        person = end_users.existing(tenant_id, user_id)
        check(end_users.version(person))
        lists, _ = UserList.objects.filter(tenant_id=tenant_id, end_user_id=person.pk).delete()
        events, _ = Interaction.objects.filter(tenant_id=tenant_id, end_user_id=person.pk).delete()
        people, _ = EndUser.objects.filter(tenant_id=tenant_id, pk=person.pk).delete()
        named = erase_answers(tenant_id=tenant_id, external_id=user_id)
        about = answers.forget(
            tenant_id=tenant_id, person_key=answers.person_key(tenant_id=tenant_id, person=person.pk)
        )
        transaction.on_commit(lambda: _forget_again(tenant_id, user_id))
    rows = {"end_users": people, "events": events, "lists": lists, "stored_answers": named, "ai_answers": about}
    return Receipt(now, rows)


def _forget_again(tenant_id: int, user_id: str) -> None:
    try:
        cache.forget_user(tenant_id, user_id)
    except RedisUnavailable:
        _log.warning("forget_user_not_repeated", tenant_id=tenant_id)
