"""kill -9 of the worker at random moments of a build: it ends all the same, and nothing is done twice to effect."""

import random
import time
from collections import Counter

import pytest
from django.conf import settings

from accounts.tenancy import scope
from core import clock, redis
from recommendations.cache import keys
from recommendations.models import Artefact, Build, Chunk, Placement, ReferenceList, UserList
from recommendations.pipeline.builds import lifecycle
from recommendations.pipeline.builds.progress import progress
from tests.drills import movielens
from tests.recommendations.pipeline.generated import lists_of, stored
from tests.size import sized
from tests.workers import processes
from workers.schedules import schedule

pytestmark = [
    pytest.mark.drill,
    pytest.mark.untimed,
    pytest.mark.usefixtures("committed_db"),
    pytest.mark.timeout(900),
]
KILLS = 3
PEOPLE = sized(short=250, long=610)
# A build on a machine that other tests use as well.
UNDISTURBED_SECONDS = 240.0
MORE_SECONDS = 90.0
# As in production: what a killed worker costs is its lease and the pause of the sweep.
VARIABLES = {"BUILD_LEASE_SECONDS": str(settings.BUILD_LEASE_SECONDS), "BUILD_CHUNK_SIZE": "16"}
SWEEP_SECONDS = schedule()["resume-builds"]["schedule"]


@pytest.fixture
def people(cast):
    return movielens.load(cast.acme.tenant, people_limit=PEOPLE)


@pytest.fixture
def acme(cast, people):
    return cast.acme.tenant


def follow(build, *, seconds, at=None, seen=None):
    """Waits for the build's end, at most so long; `at` is called at each look. Returns the seconds it took, or None.

    `seen` collects when what began.
    """
    started = time.monotonic()
    while not (standing := progress(tenant_id=build.tenant_id, build_id=build.pk)).ended:
        waited = time.monotonic() - started
        if waited > seconds:
            return None
        if at:
            at(waited, standing)
        if seen is not None and (not seen or seen[-1][1:] != (standing.status, standing.attempts)):
            seen.append((round(waited, 1), standing.status, standing.attempts))
        time.sleep(0.1)
    return time.monotonic() - started


def start(tenant):
    return lifecycle.start(tenant_id=tenant.pk, reason="drill", now=clock.now(), ai=False)


class Killer:
    """Kills the worker with all its children, each time so many seconds after the one before, and starts another."""

    def __init__(self, pauses):
        self._pauses = list(pauses)
        self._since = 0.0
        self.hit = []
        self.workers = [self._new()]

    def __call__(self, waited, standing):
        if self._pauses and waited >= self._since + self._pauses[0]:
            self._since += self._pauses.pop(0)
            self.workers[-1].kill()
            self.hit.append((round(waited, 1), standing.status, standing.done))
            self.workers.append(self._new())

    def close(self):
        for worker in self.workers:
            worker.close()

    def _new(self):
        return processes.CeleryProcess("worker", "-c", "2", "--without-gossip", "--without-mingle", **VARIABLES)


def assert_whole(tenant, build, people):
    """Everybody has exactly one list in exactly one active snapshot, and every chunk took effect once."""
    with scope.tenant(tenant.pk):
        row = Build.objects.get(pk=build.pk)
        assert (row.status, row.error) == ("published", "")
        assert list(Placement.objects.values_list("active_build", flat=True)) == [build.pk]
        owners = Counter(UserList.objects.filter(build=build).values_list("end_user", flat=True))
        assert len(owners) == people
        assert set(owners.values()) == {1}
        chunks = list(Chunk.objects.filter(build=build))
        assert {chunk.status for chunk in chunks} == {"done"}
        written = UserList.objects.filter(build=build).count() + ReferenceList.objects.filter(build=build).count()
        assert sum(chunk.lists for chunk in chunks) == written
        assert sum(row.outcomes["lists"].values()) == people
        assert row.artefact is not None
        assert Artefact.objects.filter(pk=row.artefact.pk).count() == 1
    for user_id, each in lists_of(tenant, build).items():
        assert stored(each).total == 100
        assert redis.client().get(keys.user_list(tenant.pk, "home", user_id)) == bytes(each.body)


def test_a_build_survives_three_kills_of_its_worker(acme, people):
    with processes.beat(**VARIABLES):
        with processes.worker(**VARIABLES):
            first = start(acme)
            undisturbed = follow(first, seconds=UNDISTURBED_SECONDS)
        assert undisturbed is not None
        assert_whole(acme, first, people)

        seed = random.randrange(2**32)
        draw = random.Random(seed)
        # At most nine tenths of the time in all, so that each meets a build that is under way.
        killer = Killer(draw.uniform(0.05, 0.3) * undisturbed for _ in range(KILLS))
        try:
            seen: list[tuple[float, str, int]] = []
            second = start(acme)
            took = follow(second, seconds=undisturbed + MORE_SECONDS, at=killer, seen=seen)
        finally:
            killer.close()

    print(f"seed {seed}; undisturbed {undisturbed:.1f} s, with kills {took and round(took, 1)} s")
    print(f"kills (second, status, chunks done): {killer.hit}; steps (second, status, attempts): {seen}")
    assert took is not None, "the build did not end in time"
    assert len(killer.hit) == KILLS
    assert_whole(acme, second, people)


def test_without_the_guard_one_kill_stops_the_build_for_good(acme, people):
    """The proof that the drill can fail: where beat does not ask again, what the dead worker held stays undone."""
    build = start(acme)
    with processes.worker(**VARIABLES) as worker:
        while not progress(tenant_id=acme.pk, build_id=build.pk).picked_up:
            time.sleep(0.05)
        time.sleep(1.0)
        assert progress(tenant_id=acme.pk, build_id=build.pk).status == "training"
        worker.kill()

    with processes.worker(**VARIABLES):
        assert follow(build, seconds=settings.BUILD_LEASE_SECONDS + SWEEP_SECONDS + 10.0) is None
        assert progress(tenant_id=acme.pk, build_id=build.pk).status == "training"

        with processes.beat(**VARIABLES):
            assert follow(build, seconds=UNDISTURBED_SECONDS) is not None
    assert_whole(acme, build, people)
