"""Near line in turns: a tenant has few messages in the queue, and nobody who waits is forgotten."""

import pytest

from accounts.tenancy import scope
from core import redis
from recommendations.cache import keys
from recommendations.interactions.task_names import RESCORE
from recommendations.models import EndUser
from recommendations.pipeline.nearline import rescore, round_robin, tenant_limit
from tests.recommendations.pipeline.generated import build_now, first_build, happen
from tests.recommendations.pipeline.queue import sent


@pytest.fixture(autouse=True)
def at_once(settings):
    settings.NEARLINE_DEBOUNCE_SECONDS = 0.0


def wait(tenant, count):
    found = [happen(tenant, f"u{number:04d}", "i0001") for number in range(count)]
    redis.client().delete("docent.nearline")
    return found


def waiting(tenant):
    with scope.tenant(tenant.pk):
        return EndUser.objects.filter(tenant=tenant, dirty_at__isnull=False).count()


def taken(tenant):
    return redis.client().zcard(keys.lanes(tenant.pk))


class TestTake:
    def test_makes_the_lists_and_leaves_no_lane(self, acme):
        first_build(acme)
        person, *_ = wait(acme, 3)

        assert round_robin.run_turn(tenant_id=acme.pk, user_pks=[person.pk]) == 3

        assert (waiting(acme), taken(acme), sent(RESCORE)) == (0, 0, [])

    def test_goes_on_at_the_end_of_the_queue_until_nobody_waits(self, acme):
        first_build(acme)
        wait(acme, 70)

        assert round_robin.run_turn(tenant_id=acme.pk, user_pks=[]) == rescore.TOGETHER
        another, same = sent(RESCORE)
        assert (another, set(same)) == ({"tenant_id": acme.pk, "user_pks": []}, {"tenant_id", "user_pks", "lane"})
        redis.client().delete("docent.nearline")

        while same:
            round_robin.run_turn(**same)
            same = next(iter(sent(RESCORE)), None)
            redis.client().delete("docent.nearline")
        assert (waiting(acme), taken(acme)) == (0, 0)

    @pytest.mark.slow
    def test_a_backlog_has_as_many_messages_as_lanes_however_many_ask(self, acme, settings):
        settings.NEARLINE_LANES = 2
        build_now(acme)
        people = wait(acme, 75)
        for lane in ("a", "b"):
            tenant_limit.enter(tenant_id=acme.pk, lane=lane)

        assert [round_robin.run_turn(tenant_id=acme.pk, user_pks=[each.pk]) for each in people[:10]] == [0] * 10

        assert sent(RESCORE) == []
        assert waiting(acme) == 75

    def test_whoever_came_while_all_lanes_were_taken_is_not_forgotten(self, acme, settings, monkeypatch):
        settings.NEARLINE_LANES = 1
        build_now(acme)
        first, *_ = wait(acme, 1)
        really = rescore.rescore_claimed

        def meanwhile(claimed):
            assert round_robin.run_turn(tenant_id=acme.pk, user_pks=[]) == 0
            return really(claimed)

        monkeypatch.setattr(rescore, "rescore_claimed", meanwhile)
        round_robin.run_turn(tenant_id=acme.pk, user_pks=[first.pk])
        monkeypatch.undo()

        [again] = sent(RESCORE)
        redis.client().delete("docent.nearline")
        happen(acme, "u0005", "i0002")  # as if it had just missed the first turn
        redis.client().delete("docent.nearline")
        assert round_robin.run_turn(**again) == 1
        assert (waiting(acme), taken(acme), sent(RESCORE)) == (0, 0, [])

    @pytest.mark.slow
    def test_one_tenant_s_lanes_are_not_another_s(self, acme, globex, settings):
        settings.NEARLINE_LANES = 1
        build_now(globex)
        wait(globex, 1)
        tenant_limit.enter(tenant_id=acme.pk, lane="a")

        assert round_robin.run_turn(tenant_id=globex.pk, user_pks=[]) == 1

    def test_a_turn_that_fails_gives_its_lane_back(self, acme, monkeypatch):
        first_build(acme)
        wait(acme, 1)

        def broken(_):
            raise RuntimeError("broken")

        monkeypatch.setattr(rescore, "rescore_claimed", broken)
        with pytest.raises(RuntimeError, match="broken"):
            round_robin.run_turn(tenant_id=acme.pk, user_pks=[])

        assert taken(acme) == 0


class TestLanes:
    def test_one_of_a_killed_worker_runs_out(self, acme, settings):
        settings.NEARLINE_LANES = 1
        tenant_limit.enter(tenant_id=acme.pk, lane="killed")
        assert not tenant_limit.enter(tenant_id=acme.pk, lane="next")

        redis.client().zadd(keys.lanes(acme.pk), {"killed": 1})

        assert tenant_limit.enter(tenant_id=acme.pk, lane="next")

    def test_whoever_has_one_may_keep_it(self, acme, settings):
        settings.NEARLINE_LANES = 1

        assert [tenant_limit.enter(tenant_id=acme.pk, lane="mine") for _ in range(3)] == [True] * 3
        assert tenant_limit.leave(tenant_id=acme.pk, lane="mine")
        assert taken(acme) == 0
