"""Hostile loads, one at a time: probes and cached reads go on, writes are refused in time, nothing accepted is lost."""

import contextlib

import pytest

from tests.core.web_process import serving
from tests.drills.load.hostile_stage import LOADS, Stage, prepare, settled_memory
from tests.size import sized

pytestmark = [pytest.mark.drill, pytest.mark.usefixtures("committed_db"), pytest.mark.timeout(400)]
SECONDS = sized(short=14.0, long=60.0)
PROBE_SECONDS, P95_MILLISECONDS, DEADLINE_SECONDS = 1.0, 220.0, 10.0
MEMORY_SHARE = 1.2


def serve(tmp_path, **more):
    return serving(tmp_path, WEB_CONCURRENCY="2", PROCESS_REFRESH_SECONDS="1", **more)


@pytest.fixture
def stage_of(cast):
    prepare(cast)
    return lambda web: Stage(web, cast)


def check_that_others_are_served(stage, names):
    calm = stage.watch(5.0)  # everything is loaded, and every list is in Redis
    memory = stage.memory()
    with contextlib.ExitStack() as loads:
        for name in names:
            loads.enter_context(LOADS[name].load(stage))
        seen = stage.watch(SECONDS)
    print(f"{', '.join(names)}: {seen}\n  before: {calm}")
    after = stage.watch(3.0)
    settled = settled_memory(stage, memory * MEMORY_SHARE)

    assert {status for kind, status in seen.statuses if kind != "write"} == {200}
    assert {status for kind, status in seen.statuses if kind == "write"} <= {201, 503}
    # A machine that others keep busy is slow without any load of ours: in the short form that is allowed for.
    assert max(seen.probes) <= PROBE_SECONDS + sized(short=max(calm.probes), long=0.0)
    assert seen.p95 <= P95_MILLISECONDS + sized(short=calm.p95, long=0.0)
    assert max(seen.writes) <= DEADLINE_SECONDS + 1.0
    assert stage.lost(seen) == set()
    assert after.statuses["write", 201] > 0
    assert settled <= memory * MEMORY_SHARE, f"{settled:,} bytes after {memory:,}"


@pytest.mark.parametrize("name", LOADS)
def test_the_others_are_served(name, tmp_path, stage_of):
    with serve(tmp_path) as web:
        check_that_others_are_served(stage_of(web), [name])


@pytest.mark.long
def test_the_others_are_served_while_all_of_it_happens_at_once(tmp_path, stage_of):
    with serve(tmp_path) as web:
        check_that_others_are_served(stage_of(web), list(LOADS))


@pytest.mark.parametrize("name", LOADS)
def test_without_its_guard_the_load_would_be_felt(name, tmp_path, stage_of):
    """The proof that the drill can fail."""
    with serve(tmp_path, **LOADS[name].guard_off) as web:
        stage = stage_of(web)
        calm = stage.watch(3.0)
        with LOADS[name].load(stage):
            seen = stage.watch(10.0)
        print(f"{name}, without its guard: {seen}")

        slowest_probe = PROBE_SECONDS + sized(short=max(calm.probes), long=0.0)
        assert max(seen.probes) > slowest_probe or seen.p95 > P95_MILLISECONDS + sized(short=calm.p95, long=0.0)
