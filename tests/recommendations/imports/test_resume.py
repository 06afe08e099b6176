"""Imports that no worker goes on with are asked for again, or ended."""

from datetime import timedelta

import pytest

from accounts.tenancy import scope
from core import clock
from core.leases import MAX_ATTEMPTS
from recommendations.imports import lifecycle
from recommendations.imports.claims import claim_import
from recommendations.imports.models import Import
from tests.recommendations.imports.started import EVENTS, change, reread, run, start
from tests.recommendations.pipeline.queue import sent

pytestmark = pytest.mark.usefixtures("small_chunks")


class TestResume:
    def test_asks_again_for_what_a_dead_worker_left(self, acme, django_capture_on_commit_callbacks):
        job = start(acme, EVENTS)
        claim_import(tenant_id=acme, import_id=job.pk)
        assert lifecycle.resume_imports(now=clock.now()) == 0
        change(job, lease_until=clock.now() - timedelta(hours=1))

        with django_capture_on_commit_callbacks(execute=True):
            assert lifecycle.resume_imports(now=clock.now()) == 1

        assert sent("imports.run") == [{"tenant_id": acme, "import_id": job.pk}]
        assert run(job).status == "done"

    def test_asks_again_for_what_nobody_began(self, acme):
        job = start(acme, EVENTS)

        assert lifecycle.resume_imports(now=clock.now()) == 0
        assert lifecycle.resume_imports(now=clock.now() + timedelta(seconds=30)) == 1
        assert reread(job).status == "waiting"

    def test_ends_what_never_gets_on(self, acme):
        job = start(acme, EVENTS)
        change(job, attempts=MAX_ATTEMPTS, error="OperationalError: away")

        lifecycle.resume_imports(now=clock.now())

        job = reread(job)
        assert (job.status, "OperationalError: away" in job.error) == ("failed", True)

    def test_ends_those_of_commands_that_are_gone(self, acme):
        now = clock.now()
        with scope.tenant(acme):
            alive, killed, old = (
                Import.objects.create(tenant_id=acme, kind="events", status="running", lease_until=until, created_at=at)
                for until, at in [
                    (now + timedelta(minutes=5), now),
                    (now - timedelta(minutes=5), now),
                    (None, now - timedelta(days=3)),
                ]
            )

        assert lifecycle.resume_imports(now=now) == 2
        assert [reread(job).status for job in (alive, killed, old)] == ["running", "failed", "failed"]
        assert "was killed" in reread(killed).error
