"""Merging of users: the history of an anonymous user moves to a known one."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.tenancy import scope, tenant_cache
from core.errors import FieldError, InvalidInput, NotFound
from recommendations.catalog.models import EndUser
from recommendations.catalog.selectors import UNKNOWN_USER
from recommendations.erasures import log
from recommendations.erasures.models import FormerId
from recommendations.interactions import triggers
from recommendations.privacy.data_registry import DATA_REGISTRY, DataSubject
from recommendations.privacy.erase import remove_cached_lists_again


@dataclass(frozen=True, slots=True)
class Merged:
    """The result: numbers of moved or deleted rows by kind."""

    merged_at: datetime
    rows: dict[str, int]


def merge_end_users(*, tenant_id: int, user_id: str, source_id: str, now: datetime) -> Merged:
    """Moves the history of `source_id` to `user_id`, marks `user_id` for a rescore, and removes `source_id`.

    Call `erase.remove_cached_lists` for `source_id` first. The target keeps its attributes, segments and locale; an
    unknown target is created if events may create users. Later events of `source_id` create a new stub. Erasing the
    target later also erases what an older dump or file holds under `source_id`.

    Raises:
        NotFound: `user_id` is unknown.
        InvalidInput: `source_id` is unknown or equals `user_id`.
    """
    if source_id == user_id:
        raise _invalid_source("same_user", "Must differ from the user in the path.")
    with scope.tenant(tenant_id):
        log.lock_exclusively(tenant_id)
        source, target = _lock_both(tenant_id, source_id, user_id, now)
        if source is None:
            raise _invalid_source("unknown_user", UNKNOWN_USER)
        if target is None:
            raise NotFound(UNKNOWN_USER)
        old, new = (DataSubject(tenant_id, user.pk, user.user_id) for user in (source, target))
        rows = {data.name: data.merge(old, new) for data in DATA_REGISTRY if data.merge}
        _remember_former_ids(source, target, now)
        EndUser.objects.filter(tenant_id=tenant_id, pk=source.pk).delete()
        clean = {target.pk} if target.dirty_at is None else set()
        triggers.mark_dirty(tenant_id=tenant_id, users={target.pk}, clean=clean, now=now)
        transaction.on_commit(lambda: remove_cached_lists_again(tenant_id, source_id))
    return Merged(now, rows)


def _lock_both(tenant_id: int, source_id: str, user_id: str, now: datetime) -> tuple[EndUser | None, EndUser | None]:
    """Both rows, locked in the same order as events lock them."""
    tenant = tenant_cache.tenant(tenant_id)
    if tenant is None or tenant.create_unknown:
        stub = EndUser(tenant_id=tenant_id, user_id=user_id, created_at=now, updated_at=now)
        EndUser.objects.bulk_create([stub], ignore_conflicts=True)
    rows = EndUser.objects.select_for_update().filter(tenant_id=tenant_id, user_id__in=[source_id, user_id])
    users = {user.user_id: user for user in rows.order_by("pk")}
    return users.get(source_id), users.get(user_id)


def _remember_former_ids(source: EndUser, target: EndUser, now: datetime) -> None:
    former = FormerId.objects.filter(tenant_id=source.tenant_id, end_user_id=source.pk)
    names = {log.digest(source.tenant_id, source.user_id), *former.values_list("digest", flat=True)}
    former.delete()
    FormerId.objects.bulk_create(
        (
            FormerId(tenant_id=target.tenant_id, end_user_id=target.pk, digest=name, merged_at=now)
            for name in sorted(names)
        ),
        ignore_conflicts=True,
    )


def _invalid_source(code: str, detail: str) -> InvalidInput:
    return InvalidInput(f"/from: {detail}", errors=[FieldError("/from", code, detail)])
