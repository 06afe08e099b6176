"""A whole build through real worker processes, a real broker and a real database."""

import time

import pytest

from accounts.tenancy import scope
from core import clock, redis
from recommendations.cache import keys
from recommendations.models import EndUser, Placement
from recommendations.pipeline.builds import lifecycle
from recommendations.pipeline.builds.progress import progress
from tests.fakes.openai_fixture import openai_server, openai_simulator
from tests.recommendations.pipeline.generated import fill, happen, lists_of, stored
from tests.workers import processes

__all__ = ["openai_server", "openai_simulator"]
pytestmark = pytest.mark.usefixtures("committed_db")
PEOPLE, COLD, ITEMS = 200, 5, 80
ENDED_SECONDS = 60.0


def wait_until(happened, seconds=ENDED_SECONDS):
    deadline = time.monotonic() + seconds
    while not (result := happened()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return result


def wait_until_ended(build):
    def ended():
        standing = progress(tenant_id=build.tenant_id, build_id=build.pk)
        return standing if standing.ended else None

    return wait_until(ended)


@pytest.fixture
def acme(cast):
    fill(cast.acme.tenant, people=PEOPLE, items=ITEMS, cold=COLD)
    return cast.acme.tenant


class TestBuildOnRealWorkers:
    @pytest.mark.slow
    def test_gives_everybody_exactly_one_list_and_near_line_follows(self, acme):
        with processes.worker(BUILD_CHUNK_SIZE="20"):
            build = lifecycle.start(tenant_id=acme.pk, reason="test", now=clock.now())
            standing = wait_until_ended(build)

            assert (standing.status, standing.error) == ("published", "")
            assert standing.total == 1 + 11 + 1
            lists = lists_of(acme, build)
            assert len(lists) == PEOPLE + COLD
            with scope.tenant(acme.pk):
                assert Placement.objects.get().active_build == build
            for user_id, row in lists.items():
                assert redis.client().get(keys.user_list(acme.pk, "home", user_id)) == bytes(row.body)

            chosen = stored(lists["u0007"]).entries()[0]["item_id"]
            happen(acme, "u0007", chosen)
            wait_until(lambda: lists_of(acme, build)["u0007"].version == 2, seconds=20.0)

            assert chosen not in {entry["item_id"] for entry in stored(lists_of(acme, build)["u0007"]).entries()}

    @pytest.mark.drill
    @pytest.mark.untimed
    def test_a_provider_that_goes_away_in_the_middle_costs_nobody_their_list(self, acme, openai_simulator):
        variables = {
            "OPENAI_API_KEY": "test",
            "OPENAI_BASE_URL": openai_simulator.base_url,
            "OPENAI_MODEL": "gpt-4.1-mini",
            "AI_SIMULATED": "true",
            "AI_CALLS_PER_BUILD": "1000",
            "AI_TIMEOUT_SECONDS": "1",
            "BUILD_CHUNK_SIZE": "20",
        }
        # Only the workers know of AI; the cap of the build comes from the tenant's plan.
        with scope.all_tenants("test"):
            acme.plan.__class__.objects.update(ai_calls_per_build=1000)
        openai_simulator.fault("latency", seconds=0.05)
        with processes.worker(**variables):
            build = lifecycle.start(tenant_id=acme.pk, reason="test", now=clock.now())
            wait_until(lambda: openai_simulator.calls() >= 30)
            openai_simulator.clear()
            openai_simulator.fault("connection_reset")
            standing = wait_until_ended(build)

        assert (standing.status, standing.error) == ("published", "")
        lists = lists_of(acme, build)
        assert len(lists) == PEOPLE + COLD
        made = standing.lists
        assert made["ai"] > 0
        assert made["model"] > 0
        assert made["ai"] + made["model"] == PEOPLE
        assert sum(standing.ai_fallbacks.values()) == made["model"]
        assert 0.0 < standing.fallback_rate < 1.0
        reasons = {stored(row).provenance.degraded for row in lists.values() if row.source == "model"}
        assert reasons == set(standing.ai_fallbacks)

    @pytest.mark.drill
    @pytest.mark.untimed
    def test_events_during_a_build_are_in_the_lists_in_the_end(self, acme):
        with processes.worker(BUILD_CHUNK_SIZE="5"):
            first = lifecycle.start(tenant_id=acme.pk, reason="test", now=clock.now())
            wait_until_ended(first)
            second = lifecycle.start(tenant_id=acme.pk, reason="test", now=clock.now())
            said: dict[str, set[str]] = {}
            number = 0
            while not progress(tenant_id=acme.pk, build_id=second.pk).ended:
                user_id, item_id = f"u{number % PEOPLE:04d}", f"i{(number * 7) % ITEMS:04d}"
                happen(acme, user_id, item_id)
                said.setdefault(user_id, set()).add(item_id)
                number += 1
            wait_until(lambda: _nobody_waits(acme), seconds=30.0)

            lists = lists_of(acme, second)
            lost = {
                user_id: items & {entry["item_id"] for entry in stored(lists[user_id]).entries()}
                for user_id, items in said.items()
            }
            assert len(said) > 10
            assert {user_id: items for user_id, items in lost.items() if items} == {}


def _nobody_waits(tenant):
    with scope.tenant(tenant.pk):
        return not EndUser.objects.filter(dirty_at__isnull=False).exists()
