"""A person of whom the service knows all that it can know, for tests that look for what is left."""

import gzip
from datetime import datetime
from typing import Any

from accounts.models import Retention, Tenant
from accounts.tenancy import scope
from core import clock
from recommendations.ai.gateway import response_cache
from recommendations.ai.models import AIAnswer, AISent
from recommendations.ai.reranking.rerank import subject_digest
from recommendations.imports.worker import run_import
from recommendations.models import EndUser
from tests.recommendations.pipeline.generated import build_now, fill

# Long and odd, so that it stands nowhere by chance.
ADA = "ada.lovelace~1815@example.org"


def introduce(member: Any, user_id: str = ADA) -> None:
    """The person is written and does things, all under idempotency keys."""
    http, name = member.http, f"{len(user_id)}{user_id[-1]}"
    row = {"attributes": {"mail": user_id}, "segments": [f"friends of {user_id}"], "locale": "en-GB"}
    headers = {"Idempotency-Key": f"put {name}"}
    assert http.put(f"/api/v1/users/{user_id}", row, format="json", headers=headers).status_code == 201
    for number in range(4):
        event = {
            "user_id": user_id,
            "item_id": f"i{number * 4:04d}",
            "type": "view",
            "event_id": f"{user_id}/{number}",
            "context": {"page": f"/of/{user_id}"},
        }
        headers = {"Idempotency-Key": f"event {name} {number}"}
        assert http.post("/api/v1/events", event, format="json", headers=headers).status_code == 201


def answered_by_ai(tenant: Tenant, now: datetime, user_id: str = ADA) -> None:
    """An answer of AI about the person, which names them as no real prompt would, and the log's row of the question."""
    with scope.tenant(tenant.pk):
        person = EndUser.objects.get(user_id=user_id)
        subject = subject_digest(response_cache.user_key(tenant_id=tenant.pk, user_pk=person.pk))
        AIAnswer.objects.create(
            tenant=tenant,
            digest=subject,
            subject=subject,
            model="m",
            prompt_version="1",
            content={"said": f"what {user_id} likes"},
            created_at=now,
        )
        AISent.objects.create(
            tenant=tenant,
            at=now,
            origin="api.example.org",
            model="m",
            purpose="rerank",
            subject=subject,
            digest=subject,
            size_bytes=1,
            contents={"history": 1},
        )


def imported(member: Any, user_id: str = ADA) -> None:
    """A file that names the person is taken in and kept, and so is one that could not be read and tells why."""
    with scope.tenant(member.tenant.pk):
        Retention.objects.update_or_create(tenant=member.tenant, defaults={"import_file_days": 7})
    event = f"{user_id},i0004,like,2026-03-01T08:30:00Z\n"
    for text in (f"user_id,item_id,type,occurred_at\n{event}", event):
        query = f"kind=events&filename={user_id}.csv"
        sent = member.http.post(f"/api/v1/imports?{query}", gzip.compress(text.encode()), content_type="text/csv")
        assert sent.status_code == 202
        run_import(tenant_id=member.tenant.pk, import_id=int(sent.json()["import_id"]), clock=clock.now)


def known(member: Any, now: datetime) -> None:
    """All of it, for ADA."""
    fill(member.tenant, people=20, items=40)
    introduce(member)
    imported(member)
    build_now(member.tenant)
    answered_by_ai(member.tenant, now)
