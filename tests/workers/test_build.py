"""A whole build through real worker processes, a real broker and a real database."""

import time

import pytest

from accounts import scope
from core import clock, redis
from recommendations.cache import form, keys
from recommendations.models import Build, Chunk, EndUser, Item, Placement, ReferenceList
from recommendations.precompute import lifecycle, plan
from recommendations.precompute.progress import progress
from tests.recommendations.precompute.generated import fill, lists_of
from tests.workers import processes

pytestmark = pytest.mark.usefixtures("committed_db")
PEOPLE, COLD, ITEMS = 200, 5, 80


def wait_until_ended(tenant_id, build_id, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not (standing := progress(tenant_id=tenant_id, build_id=build_id)).ended:
        assert time.monotonic() < deadline, standing
        time.sleep(0.1)
    return standing


@pytest.fixture
def acme(cast):
    fill(cast.acme.tenant, people=PEOPLE, items=ITEMS, cold=COLD)
    return cast.acme.tenant


class TestBuildOnRealWorkers:
    def test_gives_everybody_exactly_one_list_and_warms_redis(self, acme):
        with processes.worker() as worker:
            build = lifecycle.start(tenant_id=acme.pk, reason="test", now=clock.now())
            standing = wait_until_ended(acme.pk, build.pk)
            print(worker.output[-3000:])

        assert (standing.status, standing.error) == ("published", "")
        lists = lists_of(acme, build)
        assert len(lists) == PEOPLE + COLD
