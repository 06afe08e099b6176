"""Chunks of an import: rows of erased people are refused, dry runs leave nothing, erasures and chunks take turns."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from accounts.tenancy import scope
from recommendations.erasures import log
from recommendations.imports.chunks import Chunk, store_chunk
from recommendations.imports.formats.rows import Line
from recommendations.imports.models import Import, ImportRowError
from recommendations.models import EndUser, Interaction, Item
from recommendations.privacy.erase import erase_end_user

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE, AFTER = (NOW + timedelta(minutes=minutes) for minutes in (-5, 5))


def job_of(tenant_id, kind, **options):
    with scope.tenant(tenant_id):
        return Import.objects.create(tenant_id=tenant_id, kind=kind, status="running", **options)


def took(tenant_id, kind, *rows, now=AFTER, **options):
    """The job after it took these rows."""
    job = job_of(tenant_id, kind, **options)
    store_chunk(job, Chunk([Line(number, row) for number, row in enumerate(rows, start=2)], len(rows) + 1, 9), now=now)
    with scope.tenant(tenant_id):
        return Import.objects.get(pk=job.pk)


def erased(tenant_id, user_id="ada"):
    with scope.tenant(tenant_id):
        EndUser.objects.create(tenant_id=tenant_id, user_id=user_id, created_at=BEFORE)
    erase_end_user(tenant_id=tenant_id, user_id=user_id, now=NOW)


def event(at, user_id="ada"):
    return {"user_id": user_id, "item_id": "i", "type": "view", **({"occurred_at": at.isoformat()} if at else {})}


class TestErasedPeople:
    def test_rows_of_theirs_are_refused_and_told(self, acme):
        erased(acme)

        job = took(acme, "users", {"user_id": "ada"}, {"user_id": "bob"})

        assert (job.created, job.rejected) == (1, 1)
        with scope.tenant(acme):
            assert list(EndUser.objects.values_list("user_id", flat=True)) == ["bob"]
            assert list(ImportRowError.objects.values_list("line", "field", "code")) == [
                (2, "user_id", "erased_person")
            ]

    def test_events_from_before_are_refused_and_later_ones_taken(self, acme):
        erased(acme)

        job = took(acme, "events", event(BEFORE), event(NOW), event(None), event(AFTER), event(BEFORE, "bob"))

        assert (job.created, job.rejected) == (2, 3)
        with scope.tenant(acme):
            assert set(Interaction.objects.values_list("end_user__user_id", "occurred_at")) == {
                ("ada", AFTER),
                ("bob", BEFORE),
            }

    def test_who_came_back_by_themselves_is_taken(self, cast, acme):
        erased(acme)
        cast.acme.http.put("/api/v1/users/ada", {}, format="json")

        assert took(acme, "users", {"user_id": "ada", "locale": "de"}).updated == 1

    def test_of_another_tenant_do_not_count(self, cast, acme):
        erased(acme)

        assert took(cast.globex.tenant.pk, "users", {"user_id": "ada"}).created == 1

    @pytest.mark.usefixtures("committed_db")
    def test_nobody_slips_in_between_the_look_at_the_log_and_the_commit(self, acme, monkeypatch):
        """The chunk has looked, and finds nobody erased; then the erasure comes, and must wait for the chunk."""
        with scope.tenant(acme):
            EndUser.objects.create(tenant_id=acme, user_id="ada", created_at=BEFORE)
        looked, found = threading.Event(), log.erased_among

        def looks(**arguments):
            known = found(**arguments)
            looked.set()
            time.sleep(0.3)
            return known

        def run():
            try:
                took(acme, "events", event(BEFORE))
            finally:
                connection.close()

        monkeypatch.setattr(log, "erased_among", looks)
        importer = threading.Thread(target=run)
        importer.start()
        looked.wait(10)
        erase_end_user(tenant_id=acme, user_id="ada", now=NOW)
        importer.join()

        with scope.tenant(acme):
            assert not EndUser.objects.exists()
            assert not Interaction.objects.exists()
            assert set(log.last_erasures(acme).values()) == {NOW}


class TestDryRun:
    @pytest.mark.parametrize(
        ("kind", "good", "bad"),
        [
            ("items", {"item_id": "a"}, {"item_id": "a\x7fb"}),
            ("users", {"user_id": "a"}, {"user_id": 3}),
            ("events", event(BEFORE), {"user_id": "ada"}),
        ],
    )
    def test_tells_everything_and_keeps_nothing(self, acme, kind, good, bad):
        job = took(acme, kind, good, bad, dry_run=True)

        assert (job.created, job.rejected, job.line) == (1, 1, 3)
        with scope.tenant(acme):
            assert ImportRowError.objects.filter(job=job).exists()
            assert not Item.objects.exists()
            assert not EndUser.objects.exists()
            assert not Interaction.objects.exists()
