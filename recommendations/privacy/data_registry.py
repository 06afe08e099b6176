"""What is held about a person, kind by kind: how each is exported, erased, and merged into another person's.

Whoever keeps something new about people adds a line to HOLDINGS; `tests/recommendations/privacy` looks through every
table, key and file for what a line is missing for.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from accounts.staff import admin_log
from accounts.tenancy import scope
from core.idempotency.cleanup import erase_answers, naming
from core.idempotency.models import IdempotencyKey
from recommendations.ai.batch import queue
from recommendations.ai.gateway import response_cache
from recommendations.ai.models import AIAnswer, AISent
from recommendations.ai.privacy import request_log
from recommendations.ai.reranking.rerank import subject_digest
from recommendations.attribution import impressions
from recommendations.cache.list_codec import decode_or_none
from recommendations.catalog.models import EndUser
from recommendations.erasures.models import FormerId
from recommendations.imports import file_retention
from recommendations.interactions import merging, selectors
from recommendations.interactions.models import Feedback, Interaction
from recommendations.interactions.selectors import EventFilter
from recommendations.pipeline.models import RelatedPeople, UserList

PAGE = 500
Entries = Iterator[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Subject:
    """The person whom it is about."""

    tenant_id: int
    pk: int
    user_id: str

    @property
    def key(self) -> str:
        """How AI's records name the person."""
        return response_cache.user_key(tenant_id=self.tenant_id, person=self.pk)


@dataclass(frozen=True, slots=True)
class Holding:
    """One kind. `erase` and `merge` run in the transaction and scope of the whole, the person's row being locked.

    `erase` returns how many rows it was; `merge` (from, to) how many rows moved, without it nothing happens to them.
    `export`, where there is something to give out, is read outside any scope and opens a short one for each page.
    """

    name: str
    erase: Callable[[Subject], int]
    export: Callable[[Subject], Entries] | None = None
    merge: Callable[[Subject, Subject], int] | None = None


def _erase_lists(subject: Subject) -> int:
    return UserList.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).delete()[0]


def _export_lists(subject: Subject) -> Entries:
    with scope.tenant(subject.tenant_id):
        lists = UserList.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).order_by("-build_id", "pk")
        names = ("placement__name", "build_id", "version", "source", "generated_at", "body")
        rows = list(lists.values(*names))
    for row in rows:
        stored = decode_or_none(row.pop("body"))
        items = stored.entries() if stored is not None else []
        yield {"placement": row.pop("placement__name"), "build": row.pop("build_id"), **row, "items": items}


def _erase_related(subject: Subject) -> int:
    """The person's own row. In others' rows stands at most a number that is nobody's now: none is used twice."""
    return RelatedPeople.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).delete()[0]


def _export_related(subject: Subject) -> Entries:
    """That there are such, and how many; not who, as that is about others."""
    with scope.tenant(subject.tenant_id):
        rows = RelatedPeople.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).order_by()
        found = list(rows.values_list("generated_at", "people"))
    yield from ({"generated_at": made, "count": len(people)} for made, people in found)


def _erase_events(subject: Subject) -> int:
    events = Interaction.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk)
    Feedback.objects.filter(tenant_id=subject.tenant_id, interaction_id__in=events.values("pk")).delete()
    return events.delete()[0]


def _export_events(subject: Subject) -> Entries:
    wanted, after = EventFilter(user_id=subject.user_id), None
    while True:
        page = selectors.list_events(tenant_id=subject.tenant_id, wanted=wanted, after=after, limit=PAGE)
        for row in page.rows:
            yield {name: value for name, value in row.items() if name not in {"id", "user_id"}}
        after = page.after
        if after is None:
            return


def _merge_events(source: Subject, target: Subject) -> int:
    return merging.move(
        tenant_id=source.tenant_id,
        source=(source.pk, source.user_id),
        target=(target.pk, target.user_id),
    )


def _erase_ai_answers(subject: Subject) -> int:
    return response_cache.delete_for_user(tenant_id=subject.tenant_id, user_key=subject.key)


_OF_AI = ("model", "prompt_version", "created_at", "content")


def _export_ai_answers(subject: Subject) -> Entries:
    about = subject_digest(subject.key)
    with scope.tenant(subject.tenant_id):
        found = AIAnswer.objects.filter(tenant_id=subject.tenant_id, subject=about).order_by("pk")
        rows: list[dict[str, Any]] = [dict(row) for row in found.values(*_OF_AI)]
    yield from rows


def _erase_ai_requests(subject: Subject) -> int:
    about = subject_digest(subject.key)
    return request_log.delete_for_user(tenant_id=subject.tenant_id, subject=about)


def _erase_ai_questions(subject: Subject) -> int:
    return queue.delete_for_user(tenant_id=subject.tenant_id, subject=subject_digest(subject.key))


def _export_ai_requests(subject: Subject) -> Entries:
    about = subject_digest(subject.key)
    with scope.tenant(subject.tenant_id):
        found = AISent.objects.filter(tenant_id=subject.tenant_id, subject=about).order_by("pk")
        rows: list[dict[str, Any]] = [dict(row) for row in found.values("at", "origin", "model", "purpose", "contents")]
    yield from rows


def _export_ai_questions(subject: Subject) -> Entries:
    with scope.tenant(subject.tenant_id):
        yield from list(queue.pending_questions(tenant_id=subject.tenant_id, subject=subject_digest(subject.key)))


def _count_former_ids(subject: Subject) -> int:
    return FormerId.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).count()


def _export_former_ids(subject: Subject) -> Entries:
    """When others turned out to be this person; who they were is known as a digest only."""
    with scope.tenant(subject.tenant_id):
        merged = FormerId.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).order_by("pk")
        rows = list(merged.values("merged_at"))
    yield from rows  # type: ignore[misc]


def _erase_staff_log(subject: Subject) -> int:
    """What staff did with the person stays, and when; not who it was."""
    return admin_log.forget(EndUser, pk=subject.pk)


def _export_staff_log(subject: Subject) -> Entries:
    yield from admin_log.about(EndUser, pk=subject.pk)


def _erase_stored_answers(subject: Subject) -> int:
    return erase_answers(tenant_id=subject.tenant_id, external_id=subject.user_id)


def _export_stored_answers(subject: Subject) -> Entries:
    """The body only where it is about this person alone: a batch's names others too."""
    with scope.tenant(subject.tenant_id):
        found = naming(tenant_id=subject.tenant_id, external_id=subject.user_id).order_by("pk")
        rows: list[IdempotencyKey] = list(found)
    for row in rows:
        body = _parsed(bytes(row.body or b""))
        own = isinstance(body, dict) and body.get("user_id") == subject.user_id
        said = {"status": row.status, "created_at": row.created_at, "expires_at": row.expires_at}
        yield said | ({"body": body} if own else {})


def _erase_import_files(subject: Subject) -> int:
    return file_retention.forget_person(tenant_id=subject.tenant_id, user_id=subject.user_id)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _export_impressions(subject: Subject) -> Entries:
    with scope.tenant(subject.tenant_id):
        rows = list(impressions.to_person(tenant_id=subject.tenant_id, user_pk=subject.pk))
    yield from rows


def _export_exposures(subject: Subject) -> Entries:
    with scope.tenant(subject.tenant_id):
        rows = list(impressions.compared(tenant_id=subject.tenant_id, user_pk=subject.pk))
    yield from rows


HOLDINGS: tuple[Holding, ...] = (
    Holding("lists", _erase_lists, _export_lists, merge=lambda source, _target: _erase_lists(source)),
    Holding("related_people", _erase_related, _export_related, merge=lambda source, _target: _erase_related(source)),
    Holding(
        "exposures",
        lambda subject: impressions.forget_compared(tenant_id=subject.tenant_id, user_pk=subject.pk),
        _export_exposures,
        merge=lambda source, target: impressions.move_compared(
            tenant_id=source.tenant_id, source_pk=source.pk, target_pk=target.pk
        ),
    ),
    Holding(
        "impressions",
        lambda subject: impressions.forget(tenant_id=subject.tenant_id, user_pk=subject.pk),
        _export_impressions,
        merge=lambda source, target: impressions.move(
            tenant_id=source.tenant_id, source_pk=source.pk, target_pk=target.pk
        ),
    ),
    Holding("events", _erase_events, _export_events, merge=_merge_events),
    Holding(
        "ai_answers", _erase_ai_answers, _export_ai_answers, merge=lambda source, _target: _erase_ai_answers(source)
    ),
    Holding(
        "ai_requests",
        _erase_ai_requests,
        _export_ai_requests,
        merge=lambda source, _target: _erase_ai_requests(source),
    ),
    Holding(
        "ai_questions",
        _erase_ai_questions,
        _export_ai_questions,
        merge=lambda source, _target: _erase_ai_questions(source),
    ),
    # Their rows go with the person's, after the log of erasures has taken the digests; a merge moves them itself.
    Holding("former_ids", _count_former_ids, _export_former_ids),
    Holding("staff_log", _erase_staff_log, _export_staff_log, merge=lambda source, _target: _erase_staff_log(source)),
    Holding("stored_answers", _erase_stored_answers, _export_stored_answers),
    Holding("import_files", _erase_import_files),
)
