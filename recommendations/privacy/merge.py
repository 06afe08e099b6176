"""Two people who turn out to be one: an anonymous person's history becomes that of a known one."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.tenancy import scope, tenant_cache
from core.errors import FieldError, InvalidInput, NotFound
from recommendations.catalog.models import EndUser
from recommendations.erasures import log
from recommendations.erasures.models import FormerId
from recommendations.interactions import triggers
from recommendations.privacy.data_registry import HOLDINGS, Subject
from recommendations.privacy.erase import forget_again


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of it. `rows` moved, or of lists and AI's answers went, by kind."""

    merged_at: datetime
    rows: dict[str, int]


def merge_end_users(*, tenant_id: int, user_id: str, source_id: str, now: datetime) -> Merged:
    """Moves the history of `source_id` to `user_id`, marks them for near line, and removes `source_id`.

    Call `erase.forget_cached` for `source_id` before. The known person keeps attributes, segments and locale as they
    are; one who is not there yet is created, where events may do so. Events that name `source_id` later begin a new
    stub. Who erases the known person later erases what an older dump or file holds under `source_id` too.
    Raises: NotFound for an unknown `user_id`, InvalidInput for an unknown or the same `source_id`.
    """
    if source_id == user_id:
        raise _refused("same_user", "Names the person themselves; a merge needs two.")
    with scope.tenant(tenant_id):
        log.share(tenant_id)
        source, target = _locked(tenant_id, source_id, user_id, now)
        if source is None:
            raise _refused("unknown_user", "There is no such end user.")
        if target is None:
            raise NotFound("There is no such end user.")
        old, new = (Subject(tenant_id, person.pk, person.user_id) for person in (source, target))
        rows = {holding.name: holding.merge(old, new) for holding in HOLDINGS if holding.merge}
        _remember(source, target, now)
        EndUser.objects.filter(tenant_id=tenant_id, pk=source.pk).delete()
        clean = {target.pk} if target.dirty_at is None else set()
        triggers.mark_dirty(tenant_id=tenant_id, people={target.pk}, clean=clean, now=now)
        transaction.on_commit(lambda: forget_again(tenant_id, source_id))
    return Merged(now, rows)


def _locked(tenant_id: int, source_id: str, user_id: str, now: datetime) -> tuple[EndUser | None, EndUser | None]:
    """Both rows, locked in the order in which events lock them."""
    facts = tenant_cache.tenant(tenant_id)
    if facts is None or facts.create_unknown:
        stub = EndUser(tenant_id=tenant_id, user_id=user_id, created_at=now, updated_at=now)
        EndUser.objects.bulk_create([stub], ignore_conflicts=True)
    rows = EndUser.objects.select_for_update().filter(tenant_id=tenant_id, user_id__in=[source_id, user_id])
    found = {person.user_id: person for person in rows.order_by("pk")}
    return found.get(source_id), found.get(user_id)


def _remember(source: EndUser, target: EndUser, now: datetime) -> None:
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


def _refused(code: str, detail: str) -> InvalidInput:
    return InvalidInput(f"/from: {detail}", errors=[FieldError("/from", code, detail)])
