"""Builds that stand still go on, those that cannot fail, and those that are well are left alone."""

from datetime import timedelta

import pytest

from accounts.tenancy import scope
from core import clock, redis
from recommendations.models import Build, Chunk, Placement
from recommendations.pipeline.builds import claims, lifecycle, publish, resume, score
from recommendations.pipeline.task_names import PUBLISH, SCORE_CHUNK, TRAIN
from tests.recommendations.pipeline.generated import build_now, first_build, reread
from tests.recommendations.pipeline.queue import sent


def change(build, **values):
    with scope.tenant(build.tenant_id):
        Build.objects.filter(pk=build.pk).update(**values)


def lose_all_messages():
    redis.client().delete("docent.build")


def long_ago():
    return clock.now() - timedelta(minutes=5)


class TestTraining:
    @pytest.fixture
    def build(self, acme):
        build = lifecycle.start(tenant_id=acme.pk, reason="test", now=clock.now())
        lose_all_messages()
        return build

    def test_a_fresh_message_is_waited_for(self, build):
        assert resume.resume_builds() == 0
        assert sent(TRAIN) == []

    def test_a_lost_message_is_sent_again_once(self, build):
        change(build, enqueued_at=long_ago())

        assert resume.resume_builds() == 1
        assert resume.resume_builds() == 0

        assert sent(TRAIN) == [{"tenant_id": build.tenant_id, "build_id": build.pk}]

    def test_a_worker_that_lives_is_left_alone(self, build):
        claims.claim_step(tenant_id=build.tenant_id, build_id=build.pk, status="training")
        change(build, enqueued_at=long_ago())

        assert resume.resume_builds() == 0

    def test_a_worker_that_died_is_replaced_at_once(self, build):
        claims.claim_step(tenant_id=build.tenant_id, build_id=build.pk, status="training")
        change(build, lease_until=clock.now() - timedelta(milliseconds=1))

        assert resume.resume_builds() == 1
        assert len(sent(TRAIN)) == 1

    def test_after_five_attempts_it_fails_and_says_why(self, build):
        change(build, attempts=5, error="MemoryError: no room")

        assert resume.resume_builds() == 1

        failed = reread(build)
        assert failed.status == "failed"
        assert "5 times" in failed.error
        assert "MemoryError: no room" in failed.error
        assert sent(TRAIN) == []


class TestScoring:
    @pytest.fixture
    def build(self, acme, settings):
        settings.BUILD_CHUNK_SIZE = 10
        build = build_now(acme, until="scoring")
        lose_all_messages()
        return build

    def test_chunks_of_the_dead_are_asked_for_again_one_message_each(self, build):
        for _ in range(3):
            claims.claim_chunk(tenant_id=build.tenant_id, build_id=build.pk)
        with scope.tenant(build.tenant_id):
            Chunk.objects.filter(number__lt=2).update(lease_until=clock.now() - timedelta(seconds=1))

        assert resume.resume_builds() == 1
        assert resume.resume_builds() == 0

        assert len(sent(SCORE_CHUNK)) == 2

    def test_lost_messages_are_sent_again_when_nobody_works(self, build):
        assert resume.resume_builds() == 0
        change(build, enqueued_at=long_ago())

        assert resume.resume_builds() == 1

        assert len(sent(SCORE_CHUNK)) == lifecycle.LANES

    def test_a_lost_publish_is_sent_again(self, build):
        while score.score_chunk(tenant_id=build.tenant_id, build_id=build.pk):
            pass
        lose_all_messages()
        change(build, enqueued_at=long_ago())
        with scope.tenant(build.tenant_id):
            Chunk.objects.update(done_at=long_ago())

        assert resume.resume_builds() == 1

        assert sent(PUBLISH) == [{"tenant_id": build.tenant_id, "build_id": build.pk}]

    @pytest.mark.slow
    def test_a_chunk_that_kills_its_workers_fails_the_build_and_the_old_snapshot_serves_on(self, build, acme):
        first = reread(build)
        while score.score_chunk(tenant_id=acme.pk, build_id=build.pk):
            pass
        publish.publish_step(tenant_id=acme.pk, build_id=build.pk)
        second = build_now(acme, until="scoring")
        with scope.tenant(acme.pk):
            Chunk.objects.filter(build=second, number=1).update(attempts=5)

        resume.resume_builds()

        assert reread(second).status == "failed"
        with scope.tenant(acme.pk):
            assert Placement.objects.get().active_build == first


class TestPublishing:
    def test_is_brought_to_its_end_however_often_it_takes(self, acme):
        build = first_build(acme)
        change(build, status="publishing", attempts=50, error="RedisUnavailable: away")
        lose_all_messages()

        assert resume.resume_builds() == 1
        publish.publish_step(tenant_id=acme.pk, build_id=build.pk)

        assert sent(PUBLISH) == [{"tenant_id": acme.pk, "build_id": build.pk}]
        assert reread(build).status == "published"


def test_builds_that_have_ended_are_left_alone(acme):
    first_build(acme)

    assert resume.resume_builds() == 0
