"""The registry of personal data: how each kind is exported, erased, and merged into another user's.

Code that stores a new kind of personal data adds an entry to DATA_REGISTRY; `tests/recommendations/privacy` searches
all tables, keys and files for data without an entry.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from accounts.staff import admin_log
from accounts.tenancy import scope
from core.idempotency.cleanup import answers_about, erase_answers
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
class DataSubject:
    """The user whom data is about."""

    tenant_id: int
    pk: int
    user_id: str

    @property
    def key(self) -> str:
        """The pseudonym of the user in AI records."""
        return response_cache.user_key(tenant_id=self.tenant_id, user_pk=self.pk)


@dataclass(frozen=True, slots=True)
class RegisteredData:
    """One kind of personal data. `erase` and `merge` run in the caller's transaction, with the user's row locked.

    `erase` returns the number of erased rows; `merge` (source, target) the number of moved or deleted rows. Kinds
    without `merge` are left alone. `export` runs outside any scope and opens a short one for each page.
    """

    name: str
    erase: Callable[[DataSubject], int]
    export: Callable[[DataSubject], Entries] | None = None
    merge: Callable[[DataSubject, DataSubject], int] | None = None


def _erase_lists(subject: DataSubject) -> int:
    return UserList.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).delete()[0]


def _export_lists(subject: DataSubject) -> Entries:
    with scope.tenant(subject.tenant_id):
        lists = UserList.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).order_by("-build_id", "pk")
        names = ("placement__name", "build_id", "version", "source", "generated_at", "body")
        rows = list(lists.values(*names))
    for row in rows:
        stored = decode_or_none(row.pop("body"))
        items = stored.entries() if stored is not None else []
        yield {"placement": row.pop("placement__name"), "build": row.pop("build_id"), **row, "items": items}


def _erase_related(subject: DataSubject) -> int:
    """Erases the user's own row. Other users' rows keep at most a dangling key, and keys are never reused."""
    return RelatedPeople.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).delete()[0]


def _export_related(subject: DataSubject) -> Entries:
    """Exports the number of similar users only: their identity is their own data."""
    with scope.tenant(subject.tenant_id):
        rows = RelatedPeople.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).order_by()
        similar = list(rows.values_list("generated_at", "people"))
    yield from ({"generated_at": generated_at, "count": len(pks)} for generated_at, pks in similar)


def _erase_events(subject: DataSubject) -> int:
    events = Interaction.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk)
    Feedback.objects.filter(tenant_id=subject.tenant_id, interaction_id__in=events.values("pk")).delete()
    return events.delete()[0]


def _export_events(subject: DataSubject) -> Entries:
    conditions, after = EventFilter(user_id=subject.user_id), None
    while True:
        page = selectors.list_events(tenant_id=subject.tenant_id, conditions=conditions, after=after, limit=PAGE)
        for row in page.rows:
            yield {name: value for name, value in row.items() if name not in {"id", "user_id"}}
        after = page.after
        if after is None:
            return


def _merge_events(source: DataSubject, target: DataSubject) -> int:
    return merging.move_events(
        tenant_id=source.tenant_id,
        source=(source.pk, source.user_id),
        target=(target.pk, target.user_id),
    )


def _erase_ai_answers(subject: DataSubject) -> int:
    return response_cache.delete_for_user(tenant_id=subject.tenant_id, user_key=subject.key)


_AI_ANSWER_FIELDS = ("model", "prompt_version", "created_at", "content")


def _export_ai_answers(subject: DataSubject) -> Entries:
    about = subject_digest(subject.key)
    with scope.tenant(subject.tenant_id):
        answers = AIAnswer.objects.filter(tenant_id=subject.tenant_id, subject=about).order_by("pk")
        rows: list[dict[str, Any]] = [dict(row) for row in answers.values(*_AI_ANSWER_FIELDS)]
    yield from rows


def _erase_ai_requests(subject: DataSubject) -> int:
    about = subject_digest(subject.key)
    return request_log.delete_for_user(tenant_id=subject.tenant_id, subject=about)


def _erase_ai_questions(subject: DataSubject) -> int:
    return queue.delete_for_user(tenant_id=subject.tenant_id, subject=subject_digest(subject.key))


def _export_ai_requests(subject: DataSubject) -> Entries:
    about = subject_digest(subject.key)
    with scope.tenant(subject.tenant_id):
        requests = AISent.objects.filter(tenant_id=subject.tenant_id, subject=about).order_by("pk")
        rows: list[dict[str, Any]] = [
            dict(row) for row in requests.values("at", "origin", "model", "purpose", "contents")
        ]
    yield from rows


def _export_ai_questions(subject: DataSubject) -> Entries:
    with scope.tenant(subject.tenant_id):
        yield from list(queue.pending_questions(tenant_id=subject.tenant_id, subject=subject_digest(subject.key)))


def _count_former_ids(subject: DataSubject) -> int:
    return FormerId.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).count()


def _export_former_ids(subject: DataSubject) -> Entries:
    """Exports when other users were merged into this one; their ids are kept as digests only."""
    with scope.tenant(subject.tenant_id):
        merged = FormerId.objects.filter(tenant_id=subject.tenant_id, end_user_id=subject.pk).order_by("pk")
        rows = list(merged.values("merged_at"))
    yield from rows  # type: ignore[misc]


def _erase_staff_log(subject: DataSubject) -> int:
    """Removes the user from the staff log; the actions and their times stay."""
    return admin_log.erase_entries(EndUser, pk=subject.pk)


def _export_staff_log(subject: DataSubject) -> Entries:
    yield from admin_log.entries_about(EndUser, pk=subject.pk)


def _erase_stored_answers(subject: DataSubject) -> int:
    return erase_answers(tenant_id=subject.tenant_id, external_id=subject.user_id)


def _export_stored_answers(subject: DataSubject) -> Entries:
    """Exports bodies only of responses about this user alone: a batch names other users too."""
    with scope.tenant(subject.tenant_id):
        answers = answers_about(tenant_id=subject.tenant_id, external_id=subject.user_id).order_by("pk")
        rows: list[IdempotencyKey] = list(answers)
    for row in rows:
        body = _parsed(bytes(row.body or b""))
        own = isinstance(body, dict) and body.get("user_id") == subject.user_id
        entry = {"status": row.status, "created_at": row.created_at, "expires_at": row.expires_at}
        yield entry | ({"body": body} if own else {})


def _erase_import_files(subject: DataSubject) -> int:
    return file_retention.erase_mentions(tenant_id=subject.tenant_id, user_id=subject.user_id)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _export_impressions(subject: DataSubject) -> Entries:
    with scope.tenant(subject.tenant_id):
        rows = list(impressions.to_person(tenant_id=subject.tenant_id, user_pk=subject.pk))
    yield from rows


def _export_exposures(subject: DataSubject) -> Entries:
    with scope.tenant(subject.tenant_id):
        rows = list(impressions.compared(tenant_id=subject.tenant_id, user_pk=subject.pk))
    yield from rows


def _erase_source(erase: Callable[[DataSubject], int]) -> Callable[[DataSubject, DataSubject], int]:
    """A merge that erases the source's data instead of moving it."""
    return lambda source, _target: erase(source)


DATA_REGISTRY: tuple[RegisteredData, ...] = (
    RegisteredData("lists", _erase_lists, _export_lists, merge=_erase_source(_erase_lists)),
    RegisteredData("related_people", _erase_related, _export_related, merge=_erase_source(_erase_related)),
    RegisteredData(
        "exposures",
        lambda subject: impressions.forget_compared(tenant_id=subject.tenant_id, user_pk=subject.pk),
        _export_exposures,
        merge=lambda source, target: impressions.move_compared(
            tenant_id=source.tenant_id, source_pk=source.pk, target_pk=target.pk
        ),
    ),
    RegisteredData(
        "impressions",
        lambda subject: impressions.forget(tenant_id=subject.tenant_id, user_pk=subject.pk),
        _export_impressions,
        merge=lambda source, target: impressions.move(
            tenant_id=source.tenant_id, source_pk=source.pk, target_pk=target.pk
        ),
    ),
    RegisteredData("events", _erase_events, _export_events, merge=_merge_events),
    RegisteredData("ai_answers", _erase_ai_answers, _export_ai_answers, merge=_erase_source(_erase_ai_answers)),
    RegisteredData(
        "ai_requests",
        _erase_ai_requests,
        _export_ai_requests,
        merge=_erase_source(_erase_ai_requests),
    ),
    RegisteredData(
        "ai_questions",
        _erase_ai_questions,
        _export_ai_questions,
        merge=_erase_source(_erase_ai_questions),
    ),
    # Deleted with the user, after the erasure log has taken the digests; a merge moves them itself.
    RegisteredData("former_ids", _count_former_ids, _export_former_ids),
    RegisteredData("staff_log", _erase_staff_log, _export_staff_log, merge=_erase_source(_erase_staff_log)),
    RegisteredData("stored_answers", _erase_stored_answers, _export_stored_answers),
    RegisteredData("import_files", _erase_import_files),
)
