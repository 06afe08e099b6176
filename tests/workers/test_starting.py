"""A worker's start: what it refuses, and how it gives way."""

import os
import time
from pathlib import Path

import pytest

from tests.workers.processes import CeleryProcess
from workers.queues import QUEUES, ROUTES, WORKERS

pytestmark = pytest.mark.slow
AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")


def started(*arguments, **environment):
    return CeleryProcess(
        "worker", "-c", "1", "-l", "INFO", "--without-gossip", "--without-mingle", *arguments, **environment
    )


@pytest.fixture
def worker(db, redis_server):
    running = []

    def start(*arguments, **environment):
        process = started(*arguments, **environment)
        running.append(process)
        deadline = time.monotonic() + 60
        while not process.children():
            assert process.process.poll() is None, process.output
            assert time.monotonic() < deadline, process.output
            time.sleep(0.1)
        return process

    yield start
    for process in running:
        process.close()


def test_a_queue_that_no_task_is_sent_to_stops_it_with_a_hint(db, redis_server):
    process = started("-Q", "docent.nearline,docent.bulid")
    try:
        status = process.process.wait(90)
        said = process.output
    finally:
        process.close()

    assert status != 0
    assert "no task is sent to docent.bulid" in said
    assert all(queue.name in said for queue in QUEUES)


def test_one_for_builds_alone_gives_way_with_all_its_processes(worker):
    process = worker("-Q", "docent.build,docent.imports", BUILD_NICE="7")

    nice = {os.getpriority(os.PRIO_PROCESS, pid) for pid in (process.process.pid, *process.children())}
    assert nice == {os.getpriority(os.PRIO_PROCESS, 0) + 7}
    if AUTOGROUP.exists() and AUTOGROUP.read_text().strip() == "1":
        assert Path(f"/proc/{process.process.pid}/autogroup").read_text().strip().endswith("nice 7")


@pytest.mark.parametrize("queues", ["docent.build,docent.default", "docent.nearline"])
def test_one_that_takes_anything_else_does_not(worker, queues):
    process = worker("-Q", queues, BUILD_NICE="7")

    assert os.getpriority(os.PRIO_PROCESS, process.process.pid) == os.getpriority(os.PRIO_PROCESS, 0)


def test_every_route_leads_to_a_queue_that_the_layout_takes():
    taken = {name for worker in WORKERS for name in worker.queues}

    assert {route["queue"] for route in ROUTES.values()} <= taken
