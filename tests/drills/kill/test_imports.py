"""kill -9 of the worker at random moments of an import: it ends all the same, and no row is taken in twice."""

import random
import time
from pathlib import Path

import pytest

from accounts.tenancy import scope
from recommendations.imports.models import Import
from recommendations.models import EndUser, Interaction, Item
from tests.core import web_process
from tests.size import sized
from tests.workers import processes

pytestmark = [
    pytest.mark.drill,
    pytest.mark.untimed,
    pytest.mark.usefixtures("committed_db"),
    pytest.mark.timeout(900),
]
ROWS = sized(short=60_000, long=400_000)
KILLS = sized(short=2, long=6)
LEASE_SECONDS = 3
VARIABLES = {"IMPORT_LEASE_SECONDS": str(LEASE_SECONDS)}
ENDS_SECONDS = sized(short=120.0, long=600.0)
# A file many times as large as what a process may take for it.
FILE_MIB = sized(short=64, long=1024)
WEB_MIB, WORKER_MIB = 24, 150


@pytest.fixture
def web(cast, tmp_path):
    with web_process.serving(tmp_path, WEB_CONCURRENCY="1", LOG_LEVEL="WARNING") as running:
        yield running


def send(web, member, kind, body, **headers):
    """The body goes in parts, without a Content-Length: as a client streams it."""
    path = f"/api/v1/imports?kind={kind}"
    answer = web.ask("POST", path, token=member.admin.token, body=body, Content_Type="text/csv", **headers)
    assert answer.status == 202, answer.body
    return int(answer.json()["import_id"])


def job_of(member, pk):
    with scope.tenant(member.tenant.pk):
        return Import.objects.get(pk=pk)


def wait_until(member, pk, holds, seconds=ENDS_SECONDS):
    deadline = time.monotonic() + seconds
    while not holds(job := job_of(member, pk)):
        assert time.monotonic() < deadline, (job.status, job.line, job.error)
        time.sleep(0.05)
    return job


def events():
    yield b"user_id,item_id,type,occurred_at\n"
    for start in range(0, ROWS, 1000):
        rows = (f"u{number % 501},i{number % 997},view,{964982703 + number}\n" for number in range(start, start + 1000))
        yield "".join(rows).encode()


def worker(**more):
    options = ("-c", "1", "-Q", "docent.imports,docent.quick", "--without-gossip", "--without-mingle")
    return processes.CeleryProcess("worker", *options, **VARIABLES, **more)


def test_an_import_survives_kills_of_its_worker_and_takes_each_row_once(web, cast):
    acme = cast.acme
    pk = send(web, acme, "events", events())
    seed = random.randrange(2**32)
    draw = random.Random(seed)
    running = [worker()]
    try:
        wait_until(acme, pk, lambda job: job.created)
        running[-1].kill()
        # The proof that the drill can fail: where beat does not ask again, nobody goes on.
        left = job_of(acme, pk)
        running.append(worker())
        time.sleep(LEASE_SECONDS + 4.0)
        assert job_of(acme, pk).line == left.line < ROWS
        hit = [left.line]
        with processes.beat(**VARIABLES):
            for _ in range(KILLS - 1):
                wait_until(acme, pk, lambda job: job.line > hit[-1] or job.status == "done")
                time.sleep(draw.uniform(0.0, 1.0))
                running[-1].kill()
                hit.append(job_of(acme, pk).line)
                running.append(worker())
            job = wait_until(acme, pk, lambda job: job.status not in Import.OPEN)
            again = send(web, acme, "events", events())
            repeated = wait_until(acme, again, lambda job: job.status not in Import.OPEN)
    finally:
        for each in running:
            each.close()

    print(f"seed {seed}; {ROWS} rows; killed at lines {hit}")
    assert (job.status, job.created, job.duplicate, job.rejected, job.line) == ("done", ROWS, 0, 0, ROWS + 1)
    assert (repeated.created, repeated.duplicate) == (0, ROWS)
    with scope.tenant(acme.tenant.pk):
        assert Interaction.objects.count() == ROWS
        assert (EndUser.objects.count(), Item.objects.count()) == (501, 997)


def items():
    """Rows of 8 KiB, different from each other."""
    yield b"item_id,description\n"
    text = "x" * 8000
    for number in range(FILE_MIB * 128):
        yield f"i{number},{number:0180d}{text}\n".encode()


def peak_mib(pid: int) -> float:
    """The most memory that a process has had (VmHWM)."""
    (line,) = [row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def test_a_file_fits_into_no_memory_and_does_not_need_to(web, cast):
    acme = cast.acme
    children = Path(f"/proc/{web.process.pid}/task/{web.process.pid}/children")
    (server,) = [int(pid) for pid in children.read_text().split()]
    running = worker()
    try:
        small = send(web, acme, "items", [b"item_id\na\n"])
        wait_until(acme, small, lambda job: job.status == "done")
        (importer,) = running.children()
        before = peak_mib(server), peak_mib(importer)

        pk = send(web, acme, "items", items())
        job = wait_until(acme, pk, lambda job: job.status not in Import.OPEN)
        grown = peak_mib(server) - before[0], peak_mib(importer) - before[1]
    finally:
        running.close()

    print(f"{FILE_MIB} MiB: the web process grew by {grown[0]:.0f} MiB, the worker by {grown[1]:.0f} MiB")
    assert (job.status, job.created) == ("done", FILE_MIB * 128)
    assert job.size_bytes > 0.99 * FILE_MIB * 1024 * 1024
    assert grown[0] < WEB_MIB < FILE_MIB
    assert grown[1] < WORKER_MIB
