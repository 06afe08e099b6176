"""Claims: by one worker at a time, taken over from the dead, and no effect for those who come back."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection

from accounts.tenancy import scope
from core import clock
from core.leases import MAX_ATTEMPTS, LeaseLost
from recommendations.models import Build, Chunk
from recommendations.pipeline.builds import claims


def at_once(count, work):
    """Runs `work` in so many threads that start together; returns what they returned."""
    barrier, results = threading.Barrier(count), []

    def run():
        barrier.wait()
        try:
            results.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count
    return results


@pytest.fixture
def build(committed_db, cast):
    tenant = cast.acme.tenant
    with scope.tenant(tenant.pk):
        return Build.objects.create(tenant=tenant, reason="test", cutoff=clock.now())


def with_chunks(build, count):
    with scope.tenant(build.tenant_id):
        Build.objects.filter(pk=build.pk).update(status="scoring")
        Chunk.objects.bulk_create(
            Chunk(tenant_id=build.tenant_id, build=build, number=number, first=0, last=0) for number in range(count)
        )


def claim(build):
    return claims.claim_step(tenant_id=build.tenant_id, build_id=build.pk, status="training")


def expire(model, pk, tenant_id):
    with scope.tenant(tenant_id):
        model.objects.filter(pk=pk).update(lease_until=clock.now() - timedelta(seconds=1))


class TestClaimStep:
    def test_of_many_workers_one_gets_it(self, build):
        results = at_once(8, lambda: claim(build))

        assert sum(lease is not None for lease in results) == 1

    def test_is_refused_in_another_status(self, build):
        with scope.tenant(build.tenant_id):
            Build.objects.filter(pk=build.pk).update(status="failed")

        assert claim(build) is None

    def test_takes_over_from_a_worker_that_died(self, build):
        first = claim(build)
        assert claim(build) is None
        expire(Build, build.pk, build.tenant_id)

        second = claim(build)

        assert second is not None
        assert second.token != first.token
        with scope.tenant(build.tenant_id):
            assert Build.objects.get(pk=build.pk).attempts == 2
            with pytest.raises(LeaseLost):
                first.finish(reason="the dead one's effect")
            assert Build.objects.get(pk=build.pk).reason == "test"

    def test_publishing_waits_for_the_last_chunk(self, build):
        with_chunks(build, 1)
        wanted = {"tenant_id": build.tenant_id, "build_id": build.pk, "status": "scoring"}
        assert claims.claim_step(**wanted) is None

        with scope.tenant(build.tenant_id):
            Chunk.objects.update(status="done")

        assert claims.claim_step(**wanted) is not None


class TestClaimChunk:
    def test_workers_at_once_get_different_chunks(self, build):
        with_chunks(build, 6)

        results = at_once(8, lambda: claims.claim_chunk(tenant_id=build.tenant_id, build_id=build.pk))

        numbers = [claimed[1].number for claimed in results if claimed]
        # A worker that meets a locked row skips it and may find none; it never gets one twice.
        assert len(numbers) == len(set(numbers)) >= 4

    def test_leaves_out_what_was_begun_too_often(self, build):
        with_chunks(build, 1)
        with scope.tenant(build.tenant_id):
            Chunk.objects.update(attempts=MAX_ATTEMPTS)

        assert claims.claim_chunk(tenant_id=build.tenant_id, build_id=build.pk) is None


class TestHolding:
    def test_keeps_the_lease_as_long_as_the_work_takes(self, build, settings):
        settings.BUILD_LEASE_SECONDS = 0.3
        lease = claim(build)

        with claims.holding(lease, tenant_id=build.tenant_id, build_id=build.pk) as heartbeat:
            time.sleep(0.8)
            taken = claim(build)
            heartbeat.check()

        assert taken is None

    def test_tells_the_work_that_the_lease_is_lost(self, build, settings):
        settings.BUILD_LEASE_SECONDS = 0.3
        lease = claim(build)

        with claims.holding(lease, tenant_id=build.tenant_id, build_id=build.pk) as heartbeat:
            with scope.tenant(build.tenant_id):
                Build.objects.filter(pk=build.pk).update(lease_token=None)
            time.sleep(0.3)
            with pytest.raises(LeaseLost):
                heartbeat.check()

    def test_gives_the_lease_back_after_an_error_and_keeps_what_it_said(self, build):
        lease = claim(build)

        with pytest.raises(ZeroDivisionError), claims.holding(lease, tenant_id=build.tenant_id, build_id=build.pk):
            raise ZeroDivisionError("division by zero")

        with scope.tenant(build.tenant_id):
            assert Build.objects.get(pk=build.pk).error == "ZeroDivisionError: division by zero"
        assert claim(build) is not None
