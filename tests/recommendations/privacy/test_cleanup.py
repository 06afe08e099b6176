"""Expired rows are deleted, by the tenant's own times, some at a time; the rest stays."""

import shutil
from datetime import timedelta
from io import BytesIO

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from accounts.models import Retention
from accounts.tenancy import scope
from core import clock, orphan_files
from core.idempotency.models import IdempotencyKey
from recommendations.ai.models import AIAnswer, AISent
from recommendations.imports import lifecycle, uploads, worker
from recommendations.imports.lifecycle import ImportOptions
from recommendations.imports.models import Import, ImportRowError
from recommendations.interactions import cleanup as events
from recommendations.models import Interaction
from recommendations.privacy import cleanup
from tests.database import storage_folder
from tests.recommendations.pipeline.queue import sent

NOW = clock.now()


@pytest.fixture
def acme(cast):
    yield cast.acme
    shutil.rmtree(storage_folder(), ignore_errors=True)


def keep(member, **times):
    with scope.tenant(member.tenant.pk):
        Retention.objects.update_or_create(tenant=member.tenant, defaults=times)


def happened(member, *days_ago):
    rows = [
        {"user_id": "u", "item_id": f"i{days}", "type": "view", "occurred_at": (NOW - timedelta(days=days)).isoformat()}
        for days in days_ago
    ]
    assert member.http.post("/api/v1/events/batch", {"events": rows}, format="json").status_code == 200


def left(member):
    with scope.tenant(member.tenant.pk):
        return sorted(Interaction.objects.values_list("item__item_id", flat=True))


def imported(member, days_ago, text="user_id\nada\na\x7fb\n"):
    upload = uploads.spool(
        tenant_id=member.tenant.pk, read=BytesIO(text.encode()).read, form=Import.Format.CSV, max_bytes=1000
    )
    job = lifecycle.accept_upload(
        tenant_id=member.tenant.pk, options=ImportOptions(Import.Kind.USERS, "u.csv"), upload=upload, now=NOW
    )
    worker.run_import(tenant_id=job.tenant_id, import_id=job.pk, clock=lambda: NOW - timedelta(days=days_ago))
    return job


def prune(member):
    return cleanup.delete_expired(tenant_id=member.tenant.pk, now=NOW)


class TestEvents:
    def test_are_kept_for_ever_where_nobody_said_otherwise(self, acme):
        happened(acme, 1, 9999)

        assert prune(acme).events == 0
        assert len(left(acme)) == 2

    def test_go_by_when_they_happened_batch_by_batch(self, cast, acme, monkeypatch):
        monkeypatch.setattr(events, "BATCH", 2)
        monkeypatch.setattr(cleanup, "MAX_BATCHES", 2)
        keep(acme, event_days=30)
        happened(acme, 1, 29, 31, 32, 33, 34, 35)
        happened(cast.globex, 35)

        assert prune(acme).events == 4
        assert left(acme) == ["i1", "i29", "i31"]
        assert prune(acme).events == 1
        assert left(acme) == ["i1", "i29"]
        assert left(cast.globex) == ["i35"]

    def test_go_by_the_deployments_time_where_a_tenant_has_none(self, acme, settings):
        settings.EVENT_DAYS = 30
        happened(acme, 31)

        assert prune(acme).events == 1

    def test_a_tenant_may_keep_them_for_ever(self, acme, settings):
        settings.EVENT_DAYS = 30
        keep(acme, event_days=0)
        happened(acme, 31)

        assert prune(acme).events == 0


class TestAnswers:
    def test_of_ai_and_what_it_was_sent_go_earlier_where_the_tenant_says_so(self, acme):
        with scope.tenant(acme.tenant.pk):
            for number, days in enumerate((1, 8)):
                at = NOW - timedelta(days=days)
                AIAnswer.objects.create(tenant=acme.tenant, digest=str(number), content={}, created_at=at)
                AISent.objects.create(tenant=acme.tenant, at=at, size_bytes=1)
        assert prune(acme).ai_records == 0, "the deployment's time is kept by AI's own housekeeping"
        keep(acme, ai_days=7)
        assert prune(acme).ai_records == 2
        assert prune(acme).ai_records == 0

    def test_of_writes_are_emptied_and_their_keys_stay_used(self, acme):
        keep(acme, answer_hours=2)
        for name in ("old", "new"):
            acme.http.put(f"/api/v1/users/{name}", {}, format="json", headers={"Idempotency-Key": name})
        with scope.tenant(acme.tenant.pk):
            IdempotencyKey.objects.filter(key="old").update(created_at=NOW - timedelta(hours=3))

        assert prune(acme).stored_answers == 1
        statuses = [
            acme.http.put(f"/api/v1/users/{name}", {}, format="json", headers={"Idempotency-Key": name}).status_code
            for name in ("old", "new")
        ]
        assert statuses == [410, 201]


class TestImports:
    def test_go_with_their_refused_rows(self, acme):
        keep(acme, import_days=30, import_file_days=5)
        old, new = imported(acme, 31), imported(acme, 29)

        # The file's time comes first: an import goes once its file is gone.
        assert prune(acme).imports == 1
        with scope.tenant(acme.tenant.pk):
            assert list(Import.objects.values_list("pk", flat=True)) == [new.pk]
            assert set(ImportRowError.objects.values_list("job_id", flat=True)) == {new.pk}
        assert not default_storage.exists(old.file)

    def test_files_stay_as_long_as_the_tenant_wants(self, acme):
        keep(acme, import_file_days=5)
        old, new = imported(acme, 6), imported(acme, 4)

        prune(acme)

        assert (default_storage.exists(old.file), default_storage.exists(new.file)) == (False, True)

    def test_kept_files_go_when_somebody_is_erased(self, acme, django_capture_on_commit_callbacks):
        keep(acme, import_file_days=5)
        ended, under_way = imported(acme, 0), imported(acme, 0)
        with scope.tenant(acme.tenant.pk):
            Import.objects.filter(pk=under_way.pk).update(status="running", line=0)

        with django_capture_on_commit_callbacks(execute=True):
            receipt = acme.http.delete("/api/v1/users/ada").json()

        assert receipt["rows"]["import_files"] == 2
        assert not default_storage.exists(ended.file)
        with django_capture_on_commit_callbacks(execute=True):
            worker.run_import(tenant_id=acme.tenant.pk, import_id=under_way.pk, clock=clock.now)
        assert not default_storage.exists(under_way.file), "it is kept although it may name her"
        assert acme.http.get("/api/v1/users/ada").status_code == 404

    def test_texts_that_name_an_erased_person_go(self, acme):
        job = imported(acme, 0, "ada.lovelace,i1,view\n")
        acme.http.put("/api/v1/users/ada.lovelace", {}, format="json")
        with scope.tenant(acme.tenant.pk):
            assert "ada.lovelace" in Import.objects.get(pk=job.pk).error

        acme.http.delete("/api/v1/users/ada.lovelace")

        with scope.tenant(acme.tenant.pk):
            assert "ada.lovelace" not in Import.objects.get(pk=job.pk).error

    def test_files_without_an_import_go_after_a_day(self, acme, monkeypatch):
        job = imported(acme, 0)
        orphan = default_storage.save(f"{uploads.folder(acme.tenant.pk)}/orphan", ContentFile(b"x"))
        prune(acme)
        assert default_storage.exists(orphan)

        monkeypatch.setattr(orphan_files, "MIN_AGE", timedelta(days=-1))
        prune(acme)

        assert not default_storage.exists(orphan)
        assert not default_storage.exists(job.file)


class TestSchedule:
    def test_every_tenant_is_asked_for(self, cast, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks(execute=True):
            assert cleanup.enqueue_all() == 2

        assert sorted(each["tenant_id"] for each in sent("privacy.prune_tenant")) == sorted(
            [cast.acme.tenant.pk, cast.globex.tenant.pk]
        )
